"""What one setting scores on a split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection import evidence
from hpo.detection.counts import cut
from hpo.detection.curves import Labels, average_precisions, curve
from hpo.detection.events import Events, single
from hpo.detection.predictions import Predictions
from hpo.trial.kinds import Kind
from hpo.trial.objective import Average, Objective, Quantity
from hpo.trial.operating_point import DEFAULT, OperatingPoint, Rated
from hpo.trial.vocabulary import Metric


def measure(predictions: Predictions, point: OperatingPoint, objective: Objective) -> tuple[Rated, float]:
    """Measure one setting on a split.

    AP as an objective is of the suppression, over all confidences; in the scores it is of what lies above ``conf``.

    Args:
        predictions: Candidates and labels.
        point: The setting and its confidence thresholds.
        objective: What is optimized.

    Returns:
        The scores at the setting; and the objective's value there, in [0, 1]: 0 where its conditions are not met.
    """
    events, labels = single(predictions, point), Labels.of(predictions)
    rated = Rated(point, scores_at(events, 0, labels, point))
    if violated(predictions, point, objective):
        return rated, 0.0
    return rated, evidence.value(evidence.at(predictions, point, objective), predictions, objective)


def violated(predictions: Predictions, point: OperatingPoint, objective: Objective) -> list[str]:
    """Name the objective's conditions that a setting misses on these images.

    Args:
        predictions: Candidates and labels.
        point: The setting and its confidence thresholds.
        objective: Has the conditions.

    Returns:
        A text for each condition that is missed, with what the setting reaches; empty where all are met.
    """
    if not objective.constraints:
        return []
    picked = evidence.at(predictions, point, Objective(Metric.F1))
    missed = []
    for constraint in objective.constraints:
        if constraint.quantity is Quantity.FP_PER_IMAGE:
            wrong = int((picked.above & ~picked.hits[:, 0]).sum())
            reached = wrong / max(len(predictions), 1)
        else:
            # without labels other classes count for nothing in a mean over classes
            average = objective.average if constraint.cls is None else Average.MACRO
            truth = predictions if constraint.cls is None else _labels_of(predictions, constraint.cls)
            reached = evidence.value(picked, truth, Objective(Metric(constraint.quantity.value), average))
        short = reached - constraint.bound if constraint.upper else constraint.bound - reached
        if short > 1e-9:
            missed.append(f"{constraint} ({reached:.3f})")
    return missed


def _labels_of(predictions: Predictions, cls: str) -> Predictions:
    own = predictions.truth_classes == predictions.names.index(cls)
    image = np.repeat(np.arange(len(predictions)), np.diff(predictions.truth_offsets))[own]
    offsets = np.searchsorted(image, np.arange(len(predictions) + 1)).astype(np.int64)
    return replace(
        predictions,
        truth_boxes=predictions.truth_boxes[own],
        truth_classes=predictions.truth_classes[own],
        truth_areas=predictions.truth_areas[own],
        truth_offsets=offsets,
    )


def scores_at(events: Events, bit: int, labels: Labels, point: OperatingPoint) -> dict[str, float]:
    """Compute the scores of what lies above the threshold, macro over the classes with labels.

    Args:
        events: Detections of a group of settings.
        bit: Index of the setting in ``events.settings``.
        labels: The labels and which images are looked at.
        point: Has the confidence thresholds.

    Returns:
        ``precision, recall, f1`` (IoU 0.5), ``map50, map50_95``, and ``map50_all, map50_95_all`` of all detections
        above the floor; each in [0, 1], 0 without any labels.
    """
    rows = curve(_above(events, cut(events, point)), bit, labels)
    at = {"precision": rows.precision, "recall": rows.recall, "f1": rows.f}
    at |= {"map50": rows.map50, "map50_95": rows.map50_95}
    scores = {name: float(values[-1]) if len(rows) else 0.0 for name, values in at.items()}
    present = labels.counts > 0
    areas = average_precisions(events, bit, labels)[present]
    scores["map50_all"] = float(areas[:, 0].mean()) if present.any() else 0.0
    scores["map50_95_all"] = float(areas.mean()) if present.any() else 0.0
    return scores


def _above(events: Events, mask: NDArray[np.bool_]) -> Events:
    fields = ("scores", "classes", "images", "masks", "rows")
    return replace(events, **{name: getattr(events, name)[mask] for name in fields})


def default_for(predictions: Predictions) -> OperatingPoint:
    """Look up what ``yolo predict`` does with this detector.

    Args:
        predictions: Says whether the detector's head needs no suppression.

    Returns:
        Ultralytics' own setting.
    """
    return replace(DEFAULT, kind=Kind.NONE, iou=None) if predictions.suppressed else DEFAULT
