"""``hpo.sweep``: the best confidence and suppression of trained weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpo.api import process
from hpo.errors import UsageError
from hpo.settings import load_settings
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import Objective, parse
from hpo.trial.operating_point import SweepPlan

if TYPE_CHECKING:
    from hpo.settings import Settings
    from hpo.training.measuring.predictions import PredictionsRequest
    from hpo.wiring.sweeping import Show, Swept


@dataclass(frozen=True)
class SweepOptions:
    """How weights are swept."""

    kinds: Sequence[str] = ("hard", "agnostic")
    """Kinds of suppression by name; see ``hpo.trial.kinds``."""
    per_class: bool = False
    """A confidence threshold for each class."""
    max_det: Sequence[int] = ()
    """Detections an image, each from 1; none for 300, and 1,000 where an image has over 100 labels."""
    objective: str = "f1"
    """What is maximized, as in a study file."""
    with_test: bool = True
    """Measure the gain on the test split too, where the data has one."""


def swept(request: PredictionsRequest, options: SweepOptions, settings: Settings, progress: Show) -> Swept:
    """Predict once, then evaluate every threshold of every kind exactly.

    Args:
        request: Weights, data, split and device.
        options: What is tried and what counts.
        settings: Where predictions are kept.
        progress: Told the split, images done, and images in all.

    Returns:
        What was found, and how to save it.

    Raises:
        UsageError: A name that does not exist.
    """
    from hpo.wiring.sweeping import sweep

    plan = SweepPlan(kinds=_kinds(options.kinds), per_class=options.per_class)
    plan = replace(plan, max_dets=tuple(sorted(set(options.max_det)))) if options.max_det else plan
    objective = _objective(options.objective)
    return sweep(request, plan, objective, settings, progress, test=options.with_test)


def _kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    text = ",".join(names)
    if list(names) == ["all"]:
        return SUPPRESSING
    unknown = [name for name in names if name not in SUPPRESSING]
    if unknown or not names:
        wrong = f"no kind {', '.join(map(repr, unknown))}" if unknown else "names nothing"
        raise UsageError(f"--kinds {text}: {wrong}; there are {', '.join(SUPPRESSING)}, and all")
    return tuple(dict.fromkeys(Kind(name) for name in names))


def _objective(text: str) -> Objective:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"--objective {error}") from error


class Sweep:
    """What a sweep has found."""

    def __init__(self, swept: Swept) -> None:
        """Wrap a finished sweep; use ``hpo.sweep`` instead.

        Args:
            swept: What was found.
        """
        self._swept = swept

    @property
    def best(self) -> dict[str, Any]:
        """The best setting: ``kind``, ``iou``, ``conf``, ``max_det`` and what else its kind has."""
        return self._swept.result.best.point.to_dict()

    @property
    def recommended(self) -> dict[str, Any]:
        """``best`` where its gain is proven, else Ultralytics' defaults."""
        return self._swept.result.recommended_point.to_dict()

    @property
    def imgsz(self) -> int:
        """Pixels of the longer side of an image, as it was predicted."""
        return self._swept.imgsz

    def to_dict(self) -> dict[str, Any]:
        """Give the documented JSON form.

        Returns:
            What ``hpo sweep --json`` prints: all that was found, with the gain and its interval.
        """
        return self._swept.result.to_dict()

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write a ``predict.yaml`` for Ultralytics, all that was found as JSON, and pictures.

        Args:
            folder: Is made where it is missing.

        Returns:
            The files.
        """
        return self._swept.save(Path(folder))


def sweep(  # noqa: PLR0913  (as many arguments as the command has options)
    weights: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str],
    split: Literal["val", "train", "test"] = "val",
    imgsz: int | None = None,
    objective: str = "f1",
    kinds: Sequence[str] = ("hard", "agnostic"),
    per_class: bool = False,
    max_det: Sequence[int] = (),
    capture: Literal["deploy", "val"] = "deploy",
    with_test: bool = True,
    device: str = "auto",
    trust: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Sweep:
    """Find the best confidence and suppression of trained weights on a split, out of everything possible.

    Images are predicted once, and the predictions are kept; every threshold of every kind of suppression is then
    evaluated exactly. The gain over Ultralytics' defaults is cross-validated over images.

    Args:
        weights: Weights (.pt) of a detector.
        data: The data.yaml of a data set in YOLO format.
        split: Where the setting is chosen.
        imgsz: Pixels, from 32; None for the size of the training.
        objective: What is maximized: ``f1``, ``f1 micro``, ``f2``, ``map50_95``, ``recall at precision >= 0.9``, ...
        kinds: Kinds of suppression, or ``("all",)``. ``yolo predict`` knows ``hard`` and ``agnostic``.
        per_class: A confidence threshold for each class.
        max_det: Detections an image, each from 1; several are tried. None for 300, and 1,000 where an image has over
            100 labels.
        capture: What the detector sees: as ``model.predict`` (``deploy``), or as ``model.val``.
        with_test: Measure the gain on the test split too, where the data has one.
        device: ``auto``, ``cpu``, or the index of a GPU.
        trust: Load weights that could run code of their author.
        progress: Is called with the split, the images done, and the images in all.

    Returns:
        What was found.

    Raises:
        UsageError: A file, a split or a kind that does not exist, or weights that are no detector of these classes.
        HpoError: The weights can't be loaded without ``trust``.
    """
    from hpo.training.measuring.predictions import PredictionsRequest

    options = SweepOptions(kinds, per_class, max_det, objective, with_test)
    request = PredictionsRequest(Path(weights), Path(data), split, imgsz, capture, device, trust=trust)
    with process.kept(process.home()):
        settings = load_settings()
        return Sweep(swept(request, options, settings, progress or (lambda _split, _done, _images: None)))
