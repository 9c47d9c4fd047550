"""AP as Ultralytics' ``compute_ap`` has it, the area under 101 points of the curve, kept up to date with every hit.

The envelope of the curve at recall x is the best precision at any later true positive, so that AP is a sum over steps
of falling height, kept on a stack: a true positive of precision p removes the steps that p reaches over, and adds one.
Each is added and removed once, so that AP at all prefixes costs as much as AP at one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.kernel import compiled
from hpo.detection.picked import Picked

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]
Stacks = tuple[Vector, Vector, Counts]
"""Heights of the steps, and where they end, (C * T * 103,); and how many steps each stack has, (C, T)."""

_GRID: Vector = np.linspace(0, 1, 101)
_BELOW = np.concatenate(([0.0], np.cumsum(np.convolve(np.diff(_GRID), [0.5, 0.5]))))
"""The weights of the trapezoidal rule, summed up: of the first k points of the grid, for k = 0 .. 101."""


@compiled
def stacks(n_classes: int, ious: int) -> Stacks:
    """Make empty stacks, one for each class and IoU threshold.

    A step reaches over at least one point of the grid, or replaces the one before: 103 are enough for 101 points.

    Args:
        n_classes: C, the number of classes.
        ious: T, the number of IoU thresholds.

    Returns:
        The stacks.
    """
    size = n_classes * ious * 103
    return np.empty(size), np.empty(size), np.zeros((n_classes, ious), np.int64)


@compiled
def grow(steps: Stacks, cls: int, t: int, precision: float, recall: float) -> float:
    """Add a true positive to a stack of steps.

    Args:
        steps: The stacks, which are changed.
        cls: Index of the class.
        t: Index of the IoU threshold.
        precision: The precision at this true positive.
        recall: The recall at it, which no earlier one exceeds.

    Returns:
        How much the AP grew.
    """
    levels, reach, depths = steps
    first = (cls * depths.shape[1] + t) * 103
    top = first + depths[cls, t]
    end: float = _BELOW[_points_below(recall)]
    if top > first and reach[top - 1] == end and levels[top - 1] >= precision:
        return 0.0
    grown = 0.0
    while top > first and levels[top - 1] <= precision:
        top -= 1
        before = reach[top - 1] if top > first else 0.0
        grown -= levels[top] * (reach[top] - before)
    start: float = reach[top - 1] if top > first else 0.0
    levels[top], reach[top], depths[cls, t] = precision, end, top + 1 - first
    return grown + precision * (end - start)


@compiled
def _points_below(recall: float) -> int:
    """How many of the 101 grid points lie below ``recall``."""
    k = int(recall * 100)
    while k < 101 and _GRID[k] < recall:
        k += 1
    while k > 0 and _GRID[k - 1] >= recall:
        k -= 1
    return k


def average_precisions(picked: Picked, weights: Counts, labels: Counts, ious: int = 10) -> tuple[Vector, float]:
    """Compute the AP of each class over all detections.

    What ``picked.ignored`` marks counts neither as a hit nor as a false positive (COCO's rule for a range of sizes).

    Args:
        picked: Detections of one setting, by falling score.
        weights: (I,) how often each image counts.
        labels: (C,) labels of each class, by the same weights.
        ious: T: the first so many of ``matching.IOUS`` are looked at.

    Returns:
        (C, T) float64 in [0, 1], 0 for classes without labels; and the mean over the classes with labels.
    """
    arrays = (picked.classes, picked.images, picked.hits, picked.ignored)
    areas: tuple[Vector, float] = _areas(arrays, weights, labels, ious)
    return areas


@compiled
def _areas(
    arrays: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16]],
    weights: Counts,
    labels: Counts,
    ious: int,
) -> tuple[Vector, float]:
    classes, images, hits, ignored = arrays
    shape = (len(labels), ious)
    found, spared, true = np.zeros(len(labels), np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    steps, areas, total = stacks(len(labels), ious), np.zeros(shape), 0.0
    for e in range(len(classes)):
        c, weight = classes[e], weights[images[e]]
        if weight == 0 or labels[c] == 0:
            continue
        found[c] += weight
        if hits[e] == 0 and ignored[e] == 0:
            continue
        for t in range(ious):
            if (ignored[e] >> t) & 1:
                spared[c, t] += weight
            elif (hits[e] >> t) & 1:
                true[c, t] += weight
                grown = grow(steps, c, t, true[c, t] / (found[c] - spared[c, t]), true[c, t] / labels[c])
                areas[c, t] += grown
                total += grown
    present = (labels > 0).sum()
    return areas, total / (present * ious) if present > 0 else 0.0
