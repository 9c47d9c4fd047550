"""Precision, recall and F of one class, at each of its distinct scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.detection.average_precision import Counts, Vector
from hpo.detection.curves import Labels
from hpo.detection.picked import Picked
from hpo.trial.objective import Objective
from hpo.trial.operating_point import FLOOR
from hpo.trial.vocabulary import Metric

Numbers = Vector | Counts


@dataclass(frozen=True)
class ClassRates:
    """Rates of one class, at each of its distinct scores, from the highest down."""

    scores: Vector
    """(K,) the lowest score that is kept."""
    hits: Vector
    """(K,) TP: true positives at IoU 0.5."""
    found: Vector
    """(K,) N: detections."""
    labels: int
    """G: labels of the class."""

    @property
    def next_lower(self) -> Vector:
        """(K,) the highest score that is not kept any more; ``FLOOR`` behind the last row."""
        return np.append(self.scores[1:], FLOOR)

    def of(self, objective: Objective) -> Vector:
        """Compute precision, recall or F-beta at each score.

        Args:
            objective: Names the rate, and its beta.

        Returns:
            (K,) float64 in [0, 1].
        """
        return rate(self.hits, self.found, self.labels, objective)


def rate(hits: Numbers, found: Numbers, labels: Numbers | int, objective: Objective) -> Vector:
    """Compute precision, recall or F-beta from counts.

    Args:
        hits: TP: true positives.
        found: N: detections.
        labels: G: labels.
        objective: Names the rate, and its beta: F-beta = (1 + b^2) TP / (N + b^2 G).

    Returns:
        The rates in [0, 1]: TP / N, TP / G or F-beta; 0 where it divides by 0.
    """
    match objective.metric:
        case Metric.PRECISION:
            return hits / np.maximum(found, 1)
        case Metric.RECALL:
            return hits / np.maximum(labels, 1)
        case Metric.F1:
            beta2 = objective.beta**2
            whole = found + beta2 * labels
            return (1 + beta2) * hits / np.where(whole > 0, whole, 1.0)
        case Metric.MAP50_95 | Metric.MAP50 | Metric.MAP_SMALL | Metric.MAP_MEDIUM | Metric.MAP_LARGE:
            raise ValueError(f"{objective.metric} is of a whole curve, and of no counts")


def class_rates(picked: Picked, labels: Labels, cls: int) -> ClassRates:
    """Count one class at IoU 0.5, at each of its distinct scores.

    Args:
        picked: Detections of one setting, by falling score.
        labels: The labels and which images are looked at.
        cls: Index of the class.

    Returns:
        K rows, from the highest score down; none where nothing of the class was detected.
    """
    own = picked.take((picked.classes == cls) & labels.used[picked.images])
    scores = own.scores.astype(np.float64)
    last = np.flatnonzero(scores > np.append(scores[1:], -1.0))
    hits, found = np.cumsum(own.hits & 1)[last], last + 1
    return ClassRates(scores[last], hits.astype(np.float64), found.astype(np.float64), int(labels.counts[cls]))
