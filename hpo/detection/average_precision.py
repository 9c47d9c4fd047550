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
LEVELS = 103
"""Room of a stack: a step reaches over at least one of the 101 points, or replaces the one before."""

_GRID: Vector = np.linspace(0, 1, 101)
_BELOW = np.concatenate(([0.0], np.cumsum(np.convolve(np.diff(_GRID), [0.5, 0.5]))))
"""The weights of the trapezoidal rule, summed up: of the first k points of the grid, for k = 0 .. 101."""


@compiled
def push(levels: Vector, reach: Vector, first: int, depth: int, precision: float, end: float) -> tuple[int, float]:
    """Add a true positive to a stack of steps: the first, or one that reaches farther than the last step or is higher.

    Others add nothing, and would let the stack outgrow its room.

    Args:
        levels: Heights of the steps of all stacks; is changed.
        reach: Where they end, as weights of the grid; is changed.
        first: Where this stack begins in both; it has room for ``LEVELS`` steps.
        depth: How many steps it has.
        precision: The precision at this true positive.
        end: ``weight_below`` the recall at it, which no earlier one exceeds.

    Returns:
        How many steps it has now, and how much the AP grew.
    """
    grown = 0.0
    while depth > 0 and levels[first + depth - 1] <= precision:
        depth -= 1
        before = reach[first + depth - 1] if depth > 0 else 0.0
        grown -= levels[first + depth] * (reach[first + depth] - before)
    before = reach[first + depth - 1] if depth > 0 else 0.0
    levels[first + depth], reach[first + depth] = precision, end
    return depth + 1, grown + precision * (end - before)


@compiled
def weight_below(recall: float) -> float:
    """Look up how far the steps reach that end at a recall.

    Args:
        recall: In [0, 1].

    Returns:
        The weight of the grid points below ``recall``, in [0, 1].
    """
    k = int(recall * 100)
    while k < 101 and _GRID[k] < recall:
        k += 1
    while k > 0 and _GRID[k - 1] >= recall:
        k -= 1
    weight: float = _BELOW[k]
    return weight


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
    levels, reach = np.empty(len(labels) * ious * LEVELS), np.empty(len(labels) * ious * LEVELS)
    depths, areas, total = np.zeros(shape, np.int64), np.zeros(shape), 0.0
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
                precision, end = true[c, t] / (found[c] - spared[c, t]), weight_below(true[c, t] / labels[c])
                first, depth = (c * ious + t) * LEVELS, depths[c, t]
                top = first + depth - 1
                if depth == 0 or reach[top] != end or levels[top] < precision:  # else it adds nothing
                    depths[c, t], grown = push(levels, reach, first, depth, precision, end)
                    areas[c, t] += grown
                    total += grown
    present = (labels > 0).sum()
    return areas, total / (present * ious) if present > 0 else 0.0
