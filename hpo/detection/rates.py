"""Precision, recall and F of one class, at each of its distinct scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.detection.curves import Labels, Vector
from hpo.detection.events import Events
from hpo.trial.operating_point import FLOOR


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

    @property
    def precision(self) -> Vector:
        """(K,) TP / N in [0, 1]."""
        return self.hits / self.found

    @property
    def recall(self) -> Vector:
        """(K,) TP / G in [0, 1]; 0 where the class has no labels."""
        return self.hits / max(self.labels, 1)

    @property
    def f1(self) -> Vector:
        """(K,) F1 in [0, 1]."""
        return self.f(1.0)

    def f(self, beta: float) -> Vector:
        """Compute F-beta at each score.

        Args:
            beta: Weight of recall, above 0: F-beta = (1 + b^2) TP / (N + b^2 G).

        Returns:
            (K,) float64 in [0, 1].
        """
        return (1 + beta**2) * self.hits / (self.found + beta**2 * self.labels)


def class_rates(events: Events, bit: int, labels: Labels, cls: int) -> ClassRates:
    """Count one class at IoU 0.5, at each of its distinct scores.

    Args:
        events: Detections of a group of settings.
        bit: Index of the setting in ``events.settings``.
        labels: The labels and which images are looked at.
        cls: Index of the class.

    Returns:
        K rows, from the highest score down; none where nothing of the class was detected.
    """
    kept = (events.classes == cls) & labels.used[events.images] & _has(events.masks, bit)
    rows, scores = events.rows[kept], events.scores[kept].astype(np.float64)
    hit = np.zeros(len(rows), np.bool_)
    hit[rows >= 0] = _has(events.hits[rows[rows >= 0], 0], bit)
    last = np.flatnonzero(np.append(scores[1:] < scores[:-1], True)) if len(scores) else np.empty(0, np.int64)
    found = np.arange(1, len(rows) + 1, dtype=np.float64)
    return ClassRates(scores[last], np.cumsum(hit)[last].astype(float), found[last], int(labels.counts[cls]))


def _has(masks: NDArray[np.uint64], bit: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (masks >> np.uint64(bit)) & np.uint64(1) != 0
    return found
