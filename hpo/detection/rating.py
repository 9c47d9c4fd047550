"""What one setting scores on a split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hpo.detection import evidence
from hpo.detection.choice import ap_value
from hpo.detection.curves import Labels, curve
from hpo.detection.events import single
from hpo.detection.picked import Picked
from hpo.detection.predictions import MAX_CANDIDATES, Predictions
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
    picked = single(predictions, point).at(0).cut(point)
    beyond = int((np.diff(predictions.truth_offsets) > point.max_det).sum())
    rated = Rated(point, _scores(picked, Labels.of(predictions)), images_cut(predictions, picked, point), beyond)
    if violated(predictions, point, objective):
        return rated, 0.0
    return rated, evidence.value(evidence.at(predictions, point, objective), predictions, objective)


def images_cut(predictions: Predictions, picked: Picked, point: OperatingPoint) -> int:
    """Count the images of which the limit drops detections above the confidence.

    Args:
        predictions: Candidates and labels.
        picked: What ``point`` detects, at all confidences.
        point: The setting and its confidence thresholds.

    Returns:
        The number of images.
    """
    full = np.bincount(picked.images, minlength=len(predictions)) == point.max_det
    least = np.float32(min(point.per_class_conf or (point.conf,)))
    lowest = np.full(len(predictions), np.inf, np.float32)
    np.minimum.at(lowest, picked.images, picked.scores)
    if not (full & (lowest > least)).any():  # what is dropped has no higher score than what is kept
        return 0
    whole = single(predictions, replace(point, max_det=MAX_CANDIDATES)).at(0)
    kept, every = (np.bincount(of.images[of.cut(point).above], minlength=len(predictions)) for of in (picked, whole))
    return int((every > kept).sum())


def violated(predictions: Predictions, point: OperatingPoint, objective: Objective) -> list[str]:
    """Name the objective's conditions that a setting misses on these images.

    Args:
        predictions: Candidates and labels.
        point: The setting and its confidence thresholds.
        objective: Has the conditions.

    Returns:
        A text for each condition that is missed, with what the setting reaches; empty where all are met. A condition on
        a class that has no labels here is not asked.
    """
    labels = Labels.of(predictions)
    asked = [each for each in objective.constraints if labels.can_answer(each, predictions.names)]
    if not asked:
        return []
    picked = evidence.at(predictions, point, Objective(Metric.F1))
    missed = []
    for constraint in asked:
        if constraint.quantity is Quantity.FP_PER_IMAGE:
            wrong = int((picked.above & (picked.hits & 1 == 0)).sum())
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
    offsets = np.searchsorted(predictions.label_images[own], np.arange(len(predictions) + 1)).astype(np.int64)
    return replace(
        predictions,
        truth_boxes=predictions.truth_boxes[own],
        truth_classes=predictions.truth_classes[own],
        truth_areas=predictions.truth_areas[own],
        truth_offsets=offsets,
    )


def _scores(picked: Picked, labels: Labels) -> dict[str, float]:
    """Scores of what lies above the threshold, macro over the classes with labels.

    ``precision, recall, f1`` (IoU 0.5), ``map50, map50_95``, and ``map50_all, map50_95_all`` of all detections above
    the floor; each in [0, 1], 0 without any labels.
    """
    rows = curve(picked.take(picked.above), labels)
    at = {"precision": rows.precision, "recall": rows.recall, "f1": rows.f}
    at |= {"map50": rows.map50, "map50_95": rows.map50_95}
    scores = {name: float(values[-1]) if len(rows) else 0.0 for name, values in at.items()}
    whole = {f"{metric}_all": ap_value(picked, labels, Objective(metric)) for metric in (Metric.MAP50, Metric.MAP50_95)}
    return scores | whole


def default_for(predictions: Predictions) -> OperatingPoint:
    """Look up what ``yolo predict`` does with this detector.

    Args:
        predictions: Says whether the detector's head needs no suppression.

    Returns:
        Ultralytics' own setting.
    """
    return replace(DEFAULT, kind=Kind.NONE, iou=None) if predictions.suppressed else DEFAULT
