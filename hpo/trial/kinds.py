"""Kinds of suppression: one row for each, with all its data. ``hpo.detection.kinds`` implements them by key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hpo.trial.rowed import Rowed


class Axis(StrEnum):
    """A value of the operating point that a kind needs and a sweep varies."""

    IOU = "iou"
    SIGMA = "sigma"
    FLOOR = "floor"


@dataclass(frozen=True)
class KindRow:
    """The data of one kind of suppression."""

    does: str
    """Description for people; half a sentence."""
    axes: tuple[Axis, ...] = (Axis.IOU,)
    """Axes that a sweep varies, the outermost loop first. The confidence is always varied."""
    by_class: bool = True
    """Whether boxes of different classes never suppress each other; then each class may have its own confidence."""
    predict: tuple[tuple[str, bool], ...] | None = None
    """Arguments of ``yolo predict`` that select the kind; None where it can't do it, and ``hpo.deploy`` is needed."""
    named: bool = True
    """Whether the description of an operating point names the kind; the usual kinds are not named."""
    paper: tuple[str, str] | None = None
    """Authors with year, and address of the paper."""


_OVER_ALL, _WITHOUT = (("agnostic_nms", True),), (("agnostic_nms", False), ("nms", False))
_BODLA = ("Bodla et al. 2017", "https://arxiv.org/abs/1704.04503")
_ZHENG = ("Zheng et al. 2020", "https://arxiv.org/abs/1911.08287")
_SOLOVYEV = ("Solovyev et al. 2021", "https://arxiv.org/abs/1910.13302")


class Kind(Rowed):
    """How overlapping candidates are suppressed."""

    row: KindRow

    HARD = "hard", KindRow("NMS within each class, as `model.predict`", predict=(("agnostic_nms", False),), named=False)
    AGNOSTIC = "agnostic", KindRow("NMS over all classes (`agnostic_nms`)", by_class=False, predict=_OVER_ALL)
    DIOU = "diou", KindRow("hard NMS on IoU minus the normalized squared distance of the centres", paper=_ZHENG)
    SOFT = "soft", KindRow("Gaussian Soft-NMS: scores decay by exp(-IoU²/sigma)", axes=(Axis.SIGMA,), paper=_BODLA)
    SOFT_LINEAR = "soft_linear", KindRow("linear Soft-NMS: scores decay by 1 - IoU above a threshold", paper=_BODLA)
    WBF = "wbf", KindRow("weighted boxes fusion of one model's boxes", axes=(Axis.FLOOR, Axis.IOU), paper=_SOLOVYEV)
    # without `nms: false`, ultralytics 8.4.190 runs the other branch of a head that needs no NMS, and suppresses
    NONE = "none", KindRow("heads that need no suppression: the confidence alone", (), predict=_WITHOUT, named=False)

    @property
    def is_plain(self) -> bool:
        """Return whether ``yolo predict`` can do it; the others need ``hpo.deploy``."""
        return self.row.predict is not None


SUPPRESSING = tuple(kind for kind in Kind if kind is not Kind.NONE)
"""Kinds for a model head with overlapping boxes."""
