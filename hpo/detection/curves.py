"""Precision, recall, F and AP of one suppression setting at every confidence threshold at once.

Detections are taken in falling order of score, and running counts give the scores of every prefix. Rows exist only
where the score changes: detections of equal score stay or go together.

AP is Ultralytics' (101-point interpolation) of the prefix. Its envelope at recall x is the best precision at any later
true positive, so that AP is a sum over steps of falling height, kept on a stack: a true positive of precision p removes
the steps that p reaches over, and adds one. Each is added and removed once, so that AP at all prefixes costs as much as
AP at one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpo.detection.events import Events
from hpo.detection.kernel import compiled
from hpo.detection.predictions import Predictions
from hpo.detection.suppression import Masks
from hpo.trial.operating_point import FLOOR

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]

_GRID: Vector = np.linspace(0, 1, 101)
_WEIGHTS: Vector = np.convolve(np.diff(_GRID), [0.5, 0.5])
"""Weights of the trapezoidal rule."""


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
    def of(
        predictions: Predictions, used: NDArray[np.bool_] | None = None, areas: tuple[float, float] | None = None
    ) -> Labels:
        """Count the labels of some images.

        Args:
            predictions: I images with their labels.
            used: (I,) mask of the images that are looked at; None for all.
            areas: The range of sizes that counts, [low, high) in square pixels of the original image; None for all.

        Returns:
            The counts, with the mask.
        """
        chosen = np.ones(len(predictions), np.bool_) if used is None else used
        of_image = np.repeat(np.arange(len(predictions)), np.diff(predictions.truth_offsets))
        counted = chosen[of_image]
        if areas is not None:
            counted &= (predictions.truth_areas >= areas[0]) & (predictions.truth_areas < areas[1])
        counts = np.bincount(predictions.truth_classes[counted], minlength=len(predictions.names))
        return Labels(counts.astype(np.int64), int(chosen.sum()), chosen)

    @cached_property
    def steps(self) -> tuple[Vector, Counts]:
        """The weights of AP's grid points (Ultralytics' ``compute_ap``), for each class and k = 0 .. its count.

        The first array has the weight of the grid points below recall k / count, class after class; the second, (C,),
        says where each class begins in it.
        """
        parts = [_weight_below(count) for count in self.counts]
        return np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts)])[:-1].astype(np.int64)


def _weight_below(count: int) -> Vector:
    recall = np.arange(count + 1) / (count + 1e-16)
    return np.concatenate(([0.0], np.cumsum(_WEIGHTS)))[np.searchsorted(_GRID, recall, side="left")]


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


def curve(events: Events, bit: int, labels: Labels, beta: float = 1.0, *, ap: bool = True) -> Curve:
    """Compute all scores of a setting at every confidence threshold on some images, in one pass.

    Precision, recall and F are at IoU 0.5, macro over the classes with labels; a class of which nothing is kept has
    precision 0. AP is that of Ultralytics' ``ap_per_class`` on the detections above the threshold.

    Args:
        events: Detections of a group of settings.
        bit: Index of the setting in ``events.settings``.
        labels: The labels and which images are looked at.
        beta: Weight of recall in F, above 0.
        ap: Whether AP is computed; without it ``map50`` and ``map50_95`` are 0.

    Returns:
        K rows, one a distinct score, from the highest down; none where nothing is kept.
    """
    steps, starts = labels.steps
    rows = _count(events.masks, events.images, np.uint64(bit), labels.used)
    rates, counts = np.zeros((6, rows)), np.zeros((2, rows), np.int64)
    arrays = (events.scores, events.classes, events.images, events.masks, events.rows)
    used = _curve(
        arrays, events.hits, np.uint64(bit), labels.used, labels.counts, (steps, starts), beta * beta, ap, rates, counts
    )
    scores, precision, f, recall, map50, map50_95 = rates[:, :used]
    return Curve(scores, precision, recall, f, counts[0, :used], counts[1, :used], map50, map50_95)


@compiled
def _count(masks: Masks, images: NDArray[np.int32], bit: np.uint64, used: NDArray[np.bool_]) -> int:
    total = 0
    for e in range(len(masks)):
        total += ((masks[e] >> bit) & np.uint64(1) != 0) and used[images[e]]
    return total


@compiled
def _push(levels: Vector, reach: Vector, first: int, depth: int, precision: float, end: float) -> tuple[int, float]:
    """Adds a true positive to a stack of steps; returns the new depth and how much AP grew."""
    grown = 0.0
    while depth > 0 and levels[first + depth - 1] <= precision:
        depth -= 1
        before = reach[first + depth - 1] if depth > 0 else 0.0
        grown -= levels[first + depth] * (reach[first + depth] - before)
    before = reach[first + depth - 1] if depth > 0 else 0.0
    levels[first + depth], reach[first + depth] = precision, end
    return depth + 1, grown + precision * (end - before)


@compiled
def _curve(  # noqa: C901  (one pass over all detections: splitting it would walk them twice)
    arrays: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], Masks, NDArray[np.int32]],
    hits: Masks,
    bit: np.uint64,
    used: NDArray[np.bool_],
    labels: Counts,
    grid: tuple[Vector, Counts],
    beta2: float,
    with_ap: bool,
    rates: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> int:
    scores, classes, images, masks, rows = arrays
    steps, starts = grid
    n_classes, one = len(labels), np.uint64(1)
    present = 0
    for c in range(n_classes):
        present += labels[c] > 0
    share = 1.0 / present if present > 0 else 0.0
    found, true = np.zeros(n_classes, np.int64), np.zeros((n_classes, 10), np.int64)
    size = len(steps)
    levels, reach = np.empty(10 * size), np.empty(10 * size)
    depths = np.zeros((n_classes, 10), np.int64)
    # sums over classes, with the rounding of each addition carried along (Kahan): 10^6 of them leave no trace
    sums, lost = np.zeros(5), np.zeros(5)
    all_true, all_found, row = 0, 0, -1
    last = np.float32(-1.0)
    for e in range(len(scores)):
        if (masks[e] >> bit) & one == 0 or not used[images[e]]:
            continue
        if scores[e] != last:
            row += 1
            last = scores[e]
        c = classes[e]
        found[c] += 1
        all_found += 1
        if labels[c] > 0:
            n, g, k = found[c], labels[c], true[c, 0]
            hit = 0
            gain50, gain = 0.0, 0.0
            if rows[e] >= 0:
                hit = int((hits[rows[e], 0] >> bit) & one)
                for t in range(10):
                    if (hits[rows[e], t] >> bit) & one != 0:
                        true[c, t] += 1
                        if with_ap:
                            first = 10 * starts[c] + t * (g + 1)
                            end = steps[starts[c] + true[c, t]]
                            depths[c, t], grown = _push(levels, reach, first, depths[c, t], true[c, t] / n, end)
                            gain += grown
                            if t == 0:
                                gain50 = grown
            all_true += hit
            changes = (
                (k + hit) / n - (k / (n - 1) if n > 1 else 0.0),
                (1.0 + beta2) * ((k + hit) / (n + beta2 * g) - k / (n - 1 + beta2 * g)),
                hit / g,
                gain50,
                0.1 * gain,
            )
            for q in range(5 if rows[e] >= 0 else 2):  # a miss changes precision and F alone
                step = changes[q] * share - lost[q]
                total = sums[q] + step
                lost[q] = (total - sums[q]) - step
                sums[q] = total
        rates[0, row] = scores[e]
        for q in range(5):
            rates[q + 1, row] = sums[q]
        counts[0, row], counts[1, row] = all_true, all_found
    return row + 1


def average_precisions(events: Events, bit: int, labels: Labels) -> NDArray[np.float64]:
    """Compute the AP of each class over all detections, as Ultralytics' ``compute_ap`` does (101 points).

    What ``events.ignored`` marks counts neither as a hit nor as a false positive (COCO's rule for a range of sizes).

    Args:
        events: Detections of a group of settings.
        bit: Index of the setting in ``events.settings``.
        labels: The labels and which images are looked at.

    Returns:
        (C, 10) float64 in [0, 1], at each of ``matching.IOUS``; 0 for classes without labels.
    """
    steps, starts = labels.steps
    arrays = (events.classes, events.images, events.masks, events.rows)
    return _average_precisions(
        arrays, (events.hits, events.ignored), np.uint64(bit), labels.used, labels.counts, (steps, starts)
    )


@compiled
def _average_precisions(
    arrays: tuple[NDArray[np.int32], NDArray[np.int32], Masks, NDArray[np.int32]],
    results: tuple[Masks, Masks],
    bit: np.uint64,
    used: NDArray[np.bool_],
    labels: Counts,
    grid: tuple[Vector, Counts],
) -> NDArray[np.float64]:
    classes, images, masks, rows = arrays
    steps, starts = grid
    n_classes, one = len(labels), np.uint64(1)
    found, true = np.zeros((n_classes, 10), np.int64), np.zeros((n_classes, 10), np.int64)
    levels, reach = np.empty(10 * len(steps)), np.empty(10 * len(steps))
    depths, areas = np.zeros((n_classes, 10), np.int64), np.zeros((n_classes, 10))
    for e in range(len(classes)):
        c = classes[e]
        if (masks[e] >> bit) & one == 0 or not used[images[e]] or labels[c] == 0:
            continue
        for t in range(10):
            found[c, t] += 1
        if rows[e] < 0:
            continue
        for t in range(10):
            if (results[1][rows[e], t] >> bit) & one != 0:
                found[c, t] -= 1
            elif (results[0][rows[e], t] >> bit) & one != 0:
                true[c, t] += 1
                first = 10 * starts[c] + t * (labels[c] + 1)
                end, precision = steps[starts[c] + true[c, t]], true[c, t] / found[c, t]
                depths[c, t], grown = _push(levels, reach, first, depths[c, t], precision, end)
                areas[c, t] += grown
    return areas
