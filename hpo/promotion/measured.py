"""Metrics of the final weights on the splits of the data, at their operating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo.studyfile.planning.extent import trained_classes
from hpo.studyfile.schema import StudySpec
from hpo.trial.operating_point import DEFAULT, OperatingPoint

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions

NAMES = ("precision", "recall", "f1", "map50", "map50_95", "map50_all", "map50_95_all")
TOLERANCE = 0.005
"""Half a point: allowed difference of a metric between two measurements of the same weights (another batch, another
GPU).
"""


@dataclass(frozen=True)
class Measured:
    """Metrics of one set of weights at one operating point."""

    point: OperatingPoint
    """The operating point; it has no suppression if the model's head needs none."""
    imgsz: int
    splits: dict[str, dict[str, float]]
    """Split -> ``objective`` and ``NAMES``, at the operating point."""
    defaults: dict[str, dict[str, float]]
    """The same metrics at Ultralytics' conf 0.25 and iou 0.7."""
    images: dict[str, int]

    @property
    def finds_nothing(self) -> bool:
        """Return whether no detection at the operating point is right, on any split."""
        return not any(scores["recall"] for scores in self.splits.values())

    def document(self, spec: StudySpec, sha256: str) -> dict[str, Any]:
        """Return the JSON form, which is ``metrics.json``."""
        measured = {"splits": self.splits, "at_defaults": self.defaults, "images": self.images}
        return {"objective": str(spec.objective), "weights_sha256": sha256, **measured}


def measured(spec: StudySpec, predictions: dict[str, Predictions], point: OperatingPoint, imgsz: int) -> Measured:
    """Measure ``predictions``, a mapping of split to predictions, at ``point``, on the classes that were trained."""
    from hpo.detection.rating import default_for, measure

    def at(found: Predictions, used: OperatingPoint) -> dict[str, float]:
        rated, value = measure(found, used, spec.objective)
        return {"objective": value, **{name: rated.scores[name] for name in NAMES}}

    predictions = {split: found.only(trained_classes(spec)) for split, found in predictions.items()}
    used = default_for(next(iter(predictions.values()))) if point == DEFAULT else point
    splits = {split: at(found, used) for split, found in predictions.items()}
    defaults = {split: at(found, default_for(found)) for split, found in predictions.items()}
    return Measured(used, imgsz, splits, defaults, {split: len(found) for split, found in predictions.items()})


def differences(reported: dict[str, dict[str, float]], found: dict[str, dict[str, float]]) -> list[str]:
    """Return a line such as ``test map50: reported 0.5123, measured 0.4871`` for each difference above
    ``TOLERANCE``.
    """
    return [
        f"{split} {name}: reported {value:.4f}, measured {found[split][name]:.4f}"
        for split, values in reported.items()
        for name, value in values.items()
        if not abs(value - found[split][name]) <= TOLERANCE
    ]


def disagreements(exports: dict[str, dict[str, Any]], most: float) -> list[str]:
    """Return the exports with more than the share ``most`` of detections that differ from those of the .pt."""
    return [
        f"{form} on {split}: {each['missing']} of {each['detections']} detections are not those of best.pt"
        for form, splits in exports.items()
        for split, each in splits.items()
        if each["missing"] > most * each["detections"]
    ]
