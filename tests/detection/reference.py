"""Each step of the sweep as in a textbook, in plain Python and NumPy float64: slow and simple."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
IOUS = np.linspace(0.5, 0.95, 10).astype(np.float32)


def iou(a: Array, b: Array) -> float:
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union > 0 else 0.0


def diou(a: Array, b: Array) -> float:
    centres = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    return iou(a, b) - (centres / diagonal if diagonal > 0 else 0.0)


def greedy(
    boxes: Array, scores: Array, classes: Array, threshold: float, overlap: Any = iou, *, by_class: bool = True
) -> list[int]:
    """Return the indices that greedy suppression keeps, in falling order of score."""
    kept: list[int] = []
    for j in np.argsort(-scores, kind="stable"):
        rivals = [i for i in kept if not by_class or classes[i] == classes[j]]
        if all(overlap(boxes[i], boxes[j]) <= threshold for i in rivals):
            kept.append(int(j))
    return kept


def soft(
    boxes: Array, scores: Array, classes: Array, floor: float, *, sigma: float = 0.0, linear: float = -1.0
) -> Array:
    """Return the final scores of Soft-NMS, 0 for a score below the floor: Gaussian with ``sigma``, else linear."""
    final = np.zeros(len(scores))
    for c in np.unique(classes):
        left = {int(i): float(scores[i]) for i in np.flatnonzero(classes == c)}
        while left:
            best = max(left, key=lambda i: (left[i], -i))
            score = left.pop(best)
            if score <= floor:
                break
            final[best] = score
            for i in left:
                overlap = iou(boxes[best], boxes[i])
                if sigma > 0:
                    left[i] *= np.exp(-(overlap**2) / sigma)
                elif overlap > linear:
                    left[i] *= 1 - overlap
    return final


def match(boxes: Array, classes: Array, truth_boxes: Array, truth_classes: Array) -> Array:
    """Return (n, 10) true positives of detections in falling order of score."""
    hits = np.zeros((len(boxes), 10), bool)
    for t, threshold in enumerate(IOUS):
        free = list(range(len(truth_boxes)))
        for j in range(len(boxes)):
            rivals = [(iou(boxes[j], truth_boxes[g]), -g) for g in free if truth_classes[g] == classes[j]]
            if rivals and max(rivals)[0] >= threshold:
                free.remove(-max(rivals)[1])
                hits[j, t] = True
    return hits


def match_sized(
    boxes: Array, classes: Array, truth_boxes: Array, truth_classes: Array, areas: tuple[float, float]
) -> tuple[Array, Array]:
    """Match as COCO does for a range of sizes (pycocotools, evaluateImg); return true positives and ignored
    detections.
    """
    size = (truth_boxes[:, 2] - truth_boxes[:, 0]) * (truth_boxes[:, 3] - truth_boxes[:, 1])
    outside = (size < areas[0]) | (size >= areas[1])
    hits, ignored = np.zeros((len(boxes), 10), bool), np.zeros((len(boxes), 10), bool)
    for t, threshold in enumerate(IOUS):
        taken: set[int] = set()
        for j, box in enumerate(boxes):
            best, found = float(threshold), -1
            for g in sorted(range(len(truth_boxes)), key=lambda g: (outside[g], g)):
                if g in taken or truth_classes[g] != classes[j]:
                    continue
                if found >= 0 and not outside[found] and outside[g]:
                    break
                overlap = iou(box, truth_boxes[g])
                if overlap >= best and (overlap > best or found < 0):
                    best, found = overlap, g
            own = (box[2] - box[0]) * (box[3] - box[1])
            if found >= 0:
                taken.add(found)
                (ignored if outside[found] else hits)[j, t] = True
            else:
                ignored[j, t] = own < areas[0] or own >= areas[1]
    return hits, ignored


def average_precision(hits: Array, labels: int) -> float:
    """Return the 101-point interpolated AP of detections in falling order of score, as Ultralytics computes it."""
    if not len(hits) or not labels:
        return 0.0
    true = np.cumsum(hits)
    recall, precision = true / (labels + 1e-16), true / np.arange(1, len(hits) + 1)
    mrec = np.concatenate(([0.0], recall, [recall[-1]], [1.0]))
    mpre = np.concatenate(([1.0], precision, [0.0], [0.0]))
    mpre = np.flip(np.maximum.accumulate(np.flip(mpre)))
    grid = np.linspace(0, 1, 101)
    return float(np.trapezoid(np.interp(grid, mrec, mpre), grid))
