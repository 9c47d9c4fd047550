"""Precision, recall, F and AP of one suppression setting at every confidence threshold at once.

Detections are taken in falling order of score, and running counts give the scores of every prefix. Rows exist only
where the score changes: detections of equal score stay or go together.

AP is that of ``average_precision``, at every prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.detection.average_precision import LEVELS, Counts, Vector, push, weight_below
from hpo.detection.kernel import compiled
from hpo.detection.picked import Picked
from hpo.detection.predictions import EVERY_SIZE, Areas, Predictions
from hpo.trial.objective import Constraint
from hpo.trial.operating_point import FLOOR


@dataclass(frozen=True)
class Labels:
    """Counts of the ground truth of some images."""

    counts: Counts
    """(C,) labels of each class; for AP by size without those that are ignored."""
    images: int
    """How many are looked at."""
    used: NDArray[np.bool_]
    """(I,) which images of the split are looked at."""

    @staticmethod
    def of(predictions: Predictions, used: NDArray[np.bool_] | None = None, areas: Areas = EVERY_SIZE) -> Labels:
        """Count the labels of some images.

        Args:
            predictions: I images with their labels.
            used: (I,) mask of the images that are looked at; None for all.
            areas: The range of sizes that counts, [low, high) in square pixels of the original image.

        Returns:
            The counts, with the mask.
        """
        chosen = np.ones(len(predictions), np.bool_) if used is None else used
        return Labels(predictions.label_counts(areas)[chosen].sum(0), int(chosen.sum()), chosen)

    def can_answer(self, constraint: Constraint, names: Sequence[str]) -> bool:
        """Say whether these images can meet or miss a condition: without labels nothing is found or overlooked.

        Args:
            constraint: The condition.
            names: Names of the classes, by index.

        Returns:
            True for false positives an image; else whether there are labels (of the condition's class).
        """
        counts = self.counts if constraint.cls is None else self.counts[list(names).index(constraint.cls)]
        return constraint.upper or bool(np.any(counts > 0))


@dataclass(frozen=True)
class Curve:
    """K rows, one a distinct score, from the highest down: what is kept are the detections of at least this score."""

    scores: Vector
    """(K,) the lowest score that is kept."""
    precision: Vector
    """(K,) in [0, 1], macro over the classes with labels, as recall, f and AP."""
    recall: Vector
    """(K,)"""
    f: Vector
    """(K,) F-beta."""
    hits: Counts
    """(K,) true positives over all classes."""
    found: Counts
    """(K,) detections over all classes, those without labels included."""
    map50: Vector
    """(K,) AP at IoU 0.5."""
    map50_95: Vector
    """(K,) mean AP at the ten of ``matching.IOUS``."""

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def next_lower(self) -> Vector:
        """The highest score that is not kept any more; the floor behind the last row."""
        return np.append(self.scores[1:], min(FLOOR, self.scores[-1]) if len(self) else FLOOR)


def curve(picked: Picked, labels: Labels, beta: float = 1.0, *, ap: bool = True) -> Curve:
    """Compute all scores of a setting at every confidence threshold on some images, in one pass.

    Precision, recall and F are at IoU 0.5, macro over the classes with labels; a class of which nothing is kept has
    precision 0. AP is that of Ultralytics' ``ap_per_class`` on the detections above the threshold.

    Args:
        picked: Detections of one setting, by falling score.
        labels: The labels and which images are looked at.
        beta: Weight of recall in F, above 0.
        ap: Whether AP is computed; without it ``map50`` and ``map50_95`` are 0.

    Returns:
        K rows, one a distinct score, from the highest down; none where nothing is kept.
    """
    rates, counts = np.zeros((6, len(picked))), np.zeros((2, len(picked)), np.int64)
    arrays = (picked.scores, picked.classes, picked.images, picked.hits)
    rows = _curve(arrays, labels.used, labels.counts, beta * beta, ap, rates, counts)
    scores, precision, f, recall, map50, map50_95 = rates[:, :rows]
    return Curve(scores, precision, recall, f, counts[0, :rows], counts[1, :rows], map50, map50_95)


@compiled
def _curve(  # noqa: C901  (one pass over all detections: splitting it would walk them twice)
    arrays: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16]],
    used: NDArray[np.bool_],
    labels: Counts,
    beta2: float,
    with_ap: bool,
    rates: Vector,
    counts: Counts,
) -> int:
    scores, classes, images, hits = arrays
    n_classes, present = len(labels), (labels > 0).sum()
    share = 1.0 / present if present > 0 else 0.0
    found, true = np.zeros(n_classes, np.int64), np.zeros((n_classes, 10), np.int64)
    size = 10 * LEVELS * n_classes if with_ap else 0
    levels, reach, depths = np.empty(size), np.empty(size), np.zeros((n_classes, 10), np.int64)
    # sums over classes, with the rounding of each addition carried along (Kahan): 10^6 of them leave no trace
    sums, lost = np.zeros(5), np.zeros(5)
    all_true, all_found, row = 0, 0, -1
    last = np.float32(-1.0)
    for e in range(len(scores)):
        if not used[images[e]]:
            continue
        if scores[e] != last:
            row += 1
            last = scores[e]
        c = classes[e]
        found[c] += 1
        all_found += 1
        if labels[c] > 0:
            n, g, k, hit = found[c], labels[c], true[c, 0], int(hits[e] & 1)
            gain50, gain = 0.0, 0.0
            for t in range(10 if hits[e] else 0):
                if (hits[e] >> t) & 1 == 0:
                    continue
                true[c, t] += 1
                if with_ap:
                    first, depth = (10 * c + t) * LEVELS, depths[c, t]
                    precision, end = true[c, t] / n, weight_below(true[c, t] / g)
                    top = first + depth - 1
                    if depth == 0 or reach[top] != end or levels[top] < precision:  # else it adds nothing
                        depths[c, t], grown = push(levels, reach, first, depth, precision, end)
                        gain += grown
                        gain50 += grown if t == 0 else 0.0
            all_true += hit
            changes = (
                (k + hit) / n - (k / (n - 1) if n > 1 else 0.0),
                (1.0 + beta2) * ((k + hit) / (n + beta2 * g) - k / (n - 1 + beta2 * g)),
                hit / g,
                gain50,
                0.1 * gain,
            )
            for q in range(5 if hits[e] else 2):  # a miss changes precision and F alone
                step = changes[q] * share - lost[q]
                total = sums[q] + step
                lost[q] = (total - sums[q]) - step
                sums[q] = total
        rates[0, row] = scores[e]
        for q in range(5):
            rates[q + 1, row] = sums[q]
        counts[0, row], counts[1, row] = all_true, all_found
    return row + 1
