"""Kinds of suppression, one row each: all that is data about one. ``hpo.detection.kinds`` does them, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Axis(StrEnum):
    """A value of the operating point that a kind needs, and that a sweep tries values of."""

    IOU = "iou"
    SIGMA = "sigma"
    FLOOR = "floor"


@dataclass(frozen=True)
class KindRow:
    """What is known of a kind of suppression."""

    does: str
    """What it does, for people; half a sentence."""
    axes: tuple[Axis, ...] = (Axis.IOU,)
    """What a sweep tries values of, the outermost loop first; the confidence is always tried."""
    by_class: bool = True
    """Whether boxes of different classes leave each other alone: then each class may have a confidence of its own."""
    predict: tuple[tuple[str, bool], ...] | None = None
    """Arguments of ``yolo predict`` that ask for it; None where it can't do it, and ``hpo.deploy`` does."""
    named: bool = True
    """Whether an operating point is described by its name; the usual kinds go without saying."""
    paper: tuple[str, str] | None = None
    """Authors with year, and address."""


_BODLA = ("Bodla et al. 2017", "https://arxiv.org/abs/1704.04503")
_ZHENG = ("Zheng et al. 2020", "https://arxiv.org/abs/1911.08287")
_SOLOVYEV = ("Solovyev et al. 2021", "https://arxiv.org/abs/1910.13302")


class Kind(StrEnum):
    """How overlapping candidates are suppressed."""

    row: KindRow

    def __new__(cls, key: str, row: KindRow | None = None) -> Kind:
        """``row`` has a default for the type checker alone: ``Kind("hard")`` looks a member up and makes none."""
        if row is None:
            raise TypeError(f"kind {key!r} has no row")
        member = str.__new__(cls, key)
        member._value_ = key
        member.row = row
        return member

    HARD = "hard", KindRow("NMS within each class, as `model.predict`", predict=(("agnostic_nms", False),), named=False)
    AGNOSTIC = (
        "agnostic",
        KindRow("NMS over all classes (`agnostic_nms`)", by_class=False, predict=(("agnostic_nms", True),)),
    )
    DIOU = "diou", KindRow("hard NMS on IoU minus the normalized squared distance of the centres", paper=_ZHENG)
    SOFT = "soft", KindRow("Gaussian Soft-NMS: scores decay by exp(-IoU²/sigma)", axes=(Axis.SIGMA,), paper=_BODLA)
    SOFT_LINEAR = "soft_linear", KindRow("linear Soft-NMS: scores decay by 1 - IoU above a threshold", paper=_BODLA)
    WBF = "wbf", KindRow("weighted boxes fusion of one model's boxes", axes=(Axis.FLOOR, Axis.IOU), paper=_SOLOVYEV)
    # without `nms: false`, ultralytics 8.4.190 runs the other branch of a head that needs no NMS, and suppresses
    NONE = (
        "none",
        KindRow(
            "heads that need no suppression: the confidence alone",
            axes=(),
            predict=(("agnostic_nms", False), ("nms", False)),
            named=False,
        ),
    )

    @property
    def is_plain(self) -> bool:
        """Whether ``yolo predict`` can do it; the others need ``hpo.deploy``."""
        return self.row.predict is not None


SUPPRESSING = tuple(kind for kind in Kind if kind is not Kind.NONE)
"""Kinds for a head whose boxes overlap."""
