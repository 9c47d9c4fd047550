"""The comparison of two runtimes of one model: whether they detect the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.detection.predictions import Predictions

IOU = 0.95
"""IoU from which two boxes count as the same."""
SCORE = 0.01
"""Largest difference of equal scores.

A detection as close as this to the threshold may be above it in one runtime and not in the other.
"""


def agreement(ours: Predictions, theirs: Predictions, conf: float) -> dict[str, Any]:
    """Match detections above ``conf`` of the same images, one to one within each class.

    The result has three keys. ``detections``: number of detections of both that must be found in the other;
    ``missing``: number of those not found; ``score``: the largest difference of a matched pair.
    """
    asked = missing = 0
    worst = 0.0
    for image in range(len(ours)):
        first, second = _of(ours, image), _of(theirs, image)
        for one, other in ((first, second), (second, first)):
            differences = _differences(one, other, conf)
            asked += len(differences)
            missing += sum(difference is None for difference in differences)
            worst = max([worst, *(difference for difference in differences if difference is not None)])
    return {"detections": asked, "missing": missing, "score": worst}


_Image = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def _of(predictions: Predictions, image: int) -> _Image:
    rows = slice(int(predictions.offsets[image]), int(predictions.offsets[image + 1]))
    return predictions.boxes[rows], predictions.scores[rows], predictions.classes[rows]


def _differences(one: _Image, other: _Image, conf: float) -> list[float | None]:
    """Return the score difference to its match, for each detection of ``one`` that is clearly above ``conf``."""
    boxes, scores, classes = other
    free = scores > conf - SCORE
    found: list[float | None] = []
    for box, score, cls in zip(*one, strict=True):
        if score <= conf + SCORE:
            continue
        gaps = np.abs(scores - score)
        near = free & (classes == cls) & (_iou(box, boxes) >= IOU) & (gaps <= SCORE)
        if not near.any():
            found.append(None)
            continue
        match = int(np.argmin(np.where(near, gaps, np.inf)))
        free[match] = False
        found.append(float(gaps[match]))
    return found


def _iou(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    whole = np.prod(box[2:] - box[:2]) + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared
    found: NDArray[np.float32] = shared / np.maximum(whole, 1e-9)
    return found
