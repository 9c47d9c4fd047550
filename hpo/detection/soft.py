"""Soft-NMS (Bodla et al. 2017): overlapping candidates are not dropped, their scores decay.

The candidate with the best score is taken, the scores of the others of its class are multiplied by a factor that falls
with their IoU with it, and so on. Gaussian: exp(-IoU^2 / sigma). Linear: 1 - IoU where IoU is above a threshold. Scores
only fall, so that they are taken in falling order of final score, and a confidence threshold on the final scores cuts
that list: one pass gives every confidence.

Logarithms of the factors add up: they are computed once a pair and shared by all settings of a class (the factor of
two boxes on each other is the same both ways).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.by_class import class_order
from hpo.detection.kernel import compiled
from hpo.detection.suppression import Span

Sides = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""x1, y1, x2, y2 and area of the boxes of a class, an array each."""
_BELOW_ZERO = -1e-300
"""The logarithm of a score of 1, for ``_best``."""
_DENSE = 2048
"""Above so many candidates of a class in an image, overlaps are computed anew for each setting.

The table of overlaps takes 32 MiB at this size.
"""


@compiled
def _ious(sides: Sides, one: int, out: NDArray[np.float64]) -> None:
    """IoU of box ``one`` with all boxes of its class; 0 for boxes without area."""
    left, top, right, bottom, area = sides
    x1, y1, x2, y2, own = left[one], top[one], right[one], bottom[one], area[one]
    for k in range(np.uint64(len(out))):
        w = max(0.0, min(x2, right[k]) - max(x1, left[k]))
        h = max(0.0, min(y2, bottom[k]) - max(y1, top[k]))
        inter = w * h
        union = area[k] + own - inter
        out[k] = inter / union if union > 0.0 else 0.0


@compiled
def _factors(sides: Sides, one: int, gaussian: bool, out: NDArray[np.float64]) -> None:
    """Logarithms of what ``one`` and each other box do to each other: -IoU^2 (to be divided by sigma), log(1 - IoU)."""
    _ious(sides, one, out)
    for k in range(len(out)):
        if out[k] > 0.0:
            out[k] = -out[k] * out[k] if gaussian else np.log1p(-out[k])


@compiled
def _decay(logs: NDArray[np.float64], factors: NDArray[np.float64], window: Span, scale: float, gate: float) -> None:
    """Adds ``scale`` times the factors below ``gate``."""
    first = np.uint64(window[0])
    for k in range(np.uint64(window[1] - window[0])):
        factor = factors[first + k]
        logs[first + k] += factor * scale if factor < gate else 0.0


@compiled
def _best(logs: NDArray[np.float64], window: Span) -> int:
    """Find the first of the highest in the window.

    All are below 0, where a higher number has lower bits as an integer, and of integers the least can be found by
    vector instructions.
    """
    bits, first = logs.view(np.int64), np.uint64(window[0])
    least = bits[first]
    for k in range(np.uint64(window[1] - window[0])):
        least = min(least, bits[first + k])
    best = window[0]
    while bits[best] != least:
        best += 1
    return best


@compiled
def soft_scores(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    span: Span,
    n_classes: int,
    gaussian: bool,
    settings: NDArray[np.float64],
    floor: float,
    out: NDArray[np.float64],
) -> None:
    """Compute the final scores of the candidates of one image by Soft-NMS (Bodla et al. 2017, arXiv 1704.04503).

    Boxes of different classes leave each other alone. Of equal scores the first candidate is taken first. Sums are of
    logarithms in float64.

    Args:
        boxes: (N, 4) float32 x1, y1, x2, y2 in pixels.
        scores: (N,) in [0, 1], falling within the span.
        classes: (N,) indices below ``n_classes``.
        span: First candidate of the image, and first of the next.
        n_classes: C, the number of classes.
        gaussian: Whether factors are exp(-IoU^2 / sigma); else they are 1 - IoU where IoU is above the threshold.
        settings: (S,) sigmas above 0, or IoU thresholds in [0, 1).
        floor: Scores that fall to it or below become 0; above 0.
        out: (S, N) is overwritten within the span: the final scores in [0, 1].
    """
    order, begins = class_order(classes, span[0], span[1], n_classes)
    for group in range(n_classes):
        rows = order[begins[group] : begins[group + 1]]
        n = len(rows)
        sides = (np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n))
        start, logs, lowest = np.empty(n), np.empty(n), np.log(floor)
        for k in range(n):
            row, box = rows[k], boxes[rows[k]]
            sides[0][k], sides[1][k], sides[2][k], sides[3][k] = box[0], box[1], box[2], box[3]
            sides[4][k] = (sides[2][k] - sides[0][k]) * (sides[3][k] - sides[1][k])
            start[k] = min(np.log(np.float64(scores[row])), _BELOW_ZERO)
        factors = np.empty((n if n <= _DENSE else 1, n))
        known = np.zeros(n, np.bool_)
        for setting in range(len(settings)):
            scale = 1.0 / settings[setting] if gaussian else 1.0
            gate = np.inf if gaussian else np.log1p(-settings[setting])
            logs[:] = start
            for k in range(n):
                out[setting, rows[k]] = 0.0
            first, last = 0, n  # what is taken goes mostly from the front, what falls to the floor from the back
            while True:
                while last > 0 and logs[last - 1] <= lowest:
                    last -= 1
                while first < last and logs[first] <= lowest:
                    first += 1
                if first >= last:
                    break
                pick = _best(logs, (first, last))
                out[setting, rows[pick]] = np.exp(logs[pick])
                line = factors[pick] if n <= _DENSE else factors[0]
                if n > _DENSE or not known[pick]:
                    _factors(sides, pick, gaussian, line)
                    known[pick] = True
                _decay(logs, line, (first, last), scale, gate)
                logs[pick] = -np.inf
