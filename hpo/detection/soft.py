"""Soft-NMS (Bodla et al. 2017): overlapping candidates are not dropped, their scores decay.

The candidate with the best score is taken, the scores of the others of its class are multiplied by a factor that falls
with their IoU with it, and so on. Gaussian: exp(-IoU^2 / sigma). Linear: 1 - IoU where IoU is above a threshold. Scores
only fall, so that they are taken in falling order of final score, and a confidence threshold on the final scores cuts
that list: one pass gives every confidence.

Logarithms of the factors add up: they are computed once a pair and shared by all settings of a class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.kernel import compiled
from hpo.detection.suppression import Span, class_order

_DENSE = 2048
"""Of more candidates of a class in an image, overlaps are computed anew for each setting: the table takes 32 MiB."""


@compiled
def _log_factors(boxes: NDArray[np.float64], one: int, gaussian: bool, out: NDArray[np.float64]) -> None:
    """Of box ``one`` on all others of its class: -IoU^2 (to be divided by sigma), or log(1 - IoU)."""
    x1, y1, x2, y2 = boxes[0, one], boxes[1, one], boxes[2, one], boxes[3, one]
    own = (x2 - x1) * (y2 - y1)
    for k in range(np.uint64(len(out))):
        w = max(0.0, min(x2, boxes[2, k]) - max(x1, boxes[0, k]))
        h = max(0.0, min(y2, boxes[3, k]) - max(y1, boxes[1, k]))
        inter = w * h
        union = (boxes[2, k] - boxes[0, k]) * (boxes[3, k] - boxes[1, k]) + own - inter
        iou = inter / union if inter > 0.0 else 0.0
        out[k] = -iou * iou if gaussian else np.log1p(-iou) if iou > 0.0 else 0.0


@compiled
def _decay(logs: NDArray[np.float64], factors: NDArray[np.float64], scale: float, gate: float) -> None:
    """Adds ``scale`` times the factors below ``gate``."""
    for k in range(np.uint64(len(logs))):
        logs[k] += factors[k] * scale if factors[k] < gate else 0.0


@compiled
def _best(logs: NDArray[np.float64]) -> int:
    best = 0
    for k in range(1, len(logs)):
        if logs[k] > logs[best]:
            best = k
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
    """Fills ``out`` (S, N) for the candidates ``span`` of one image with final scores, 0 where one falls to ``floor``.

    ``settings``: (S,) sigmas (``gaussian``) or IoU thresholds in [0, 1).
    """
    order, begins = class_order(classes, span[0], span[1], n_classes)
    for group in range(n_classes):
        rows = order[begins[group] : begins[group + 1]]
        n = len(rows)
        own, start = np.empty((4, n)), np.empty(n)
        for k in range(n):
            start[k] = np.log(np.float64(scores[rows[k]]))
            for side in range(4):
                own[side, k] = boxes[rows[k], side]
        table = np.empty((n if n <= _DENSE else 1, n))
        known = np.zeros(n, np.bool_)
        for setting in range(len(settings)):
            scale = 1.0 / settings[setting] if gaussian else 1.0
            gate = np.inf if gaussian else np.log1p(-settings[setting])
            logs, lowest = start.copy(), np.log(floor)
            for k in range(n):
                out[setting, rows[k]] = 0.0
            for _ in range(n):
                pick = _best(logs)
                if logs[pick] <= lowest:
                    break
                out[setting, rows[pick]] = np.exp(logs[pick])
                line = table[pick] if n <= _DENSE else table[0]
                if n > _DENSE or not known[pick]:
                    _log_factors(own, pick, gaussian, line)
                    known[pick] = True
                _decay(logs, line, scale, gate)
                logs[pick] = -np.inf
