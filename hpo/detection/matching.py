"""Which detections are true positives, at ten IoU thresholds and all suppression settings at once.

Detections of an image come in falling order of score; each takes the best still free label of its class, and counts at
a threshold T (.50 to .95 in steps of .05) if their IoU is at least T. A hit at a higher T implies none at a lower.
Settings are bits of a word, as in ``suppression``: a label is free or taken in each of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpo.detection.kernel import compiled
from hpo.detection.suppression import Candidates, Masks, Span

IOUS = np.linspace(0.5, 0.95, 10, dtype=np.float32)
"""As Ultralytics' validator has them, in fp32."""
_EPS = np.float32(1e-7)
"""The epsilon of Ultralytics' ``box_iou``."""


class Truth(NamedTuple):
    """M labels of I images, as a range of sizes counts them."""

    boxes: NDArray[np.float32]
    """(M, 4) x1, y1, x2, y2 in the truth's pixels."""
    classes: NDArray[np.int32]
    """(M,)"""
    ignored: NDArray[np.bool_]
    """(M,) whether the label lies outside the range of sizes."""
    offsets: NDArray[np.int64]
    """(I + 1,) labels of image i are rows ``offsets[i]:offsets[i + 1]``."""
    frames: NDArray[np.float32]
    """(I, 6) see ``Predictions.frames``."""
    scales: NDArray[np.float64]
    """(I,) square pixels of the original image in one of the truth's."""


@compiled
def to_truth(box: NDArray[np.float32], frame: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Map a box from the network's pixels to the truth's, in fp32: unpadded, scaled back, clipped to the image.

    It does what Ultralytics' ``scale_boxes`` and ``clip_boxes`` do.

    Args:
        box: (4,) x1, y1, x2, y2 in pixels of the network's input.
        frame: (6,) gain_x, gain_y, pad_x, pad_y, width, height; see ``Predictions.frames``. An infinite width clips
            nothing.
        out: (4,) is overwritten with x1, y1, x2, y2 in the truth's pixels.
    """
    for side in range(4):
        axis = side & 1
        value = (box[side] - frame[2 + axis]) / frame[axis]
        out[side] = min(max(value, np.float32(0.0)), frame[4 + axis]) if np.isfinite(frame[4]) else value


@compiled
def _candidates_for(
    box: NDArray[np.float32], cls: int, truth: Truth, span: Span, found: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> int:
    """Labels of class ``cls`` with an IoU of at least .5, by falling IoU, the first of equals first; how many."""
    boxes, (ious, which) = truth.boxes, found
    own, count, zero = (box[2] - box[0]) * (box[3] - box[1]), 0, np.float32(0.0)
    for g in range(span[0], span[1]):
        if truth.classes[g] != cls:
            continue
        w = max(zero, min(box[2], boxes[g, 2]) - max(box[0], boxes[g, 0]))
        h = max(zero, min(box[3], boxes[g, 3]) - max(box[1], boxes[g, 1]))
        inter = w * h
        area = (boxes[g, 2] - boxes[g, 0]) * (boxes[g, 3] - boxes[g, 1])
        iou = inter / (area + own - inter + _EPS)
        if iou >= IOUS[0]:
            k = count
            while k > 0 and ious[k - 1] < iou:
                ious[k], which[k] = ious[k - 1], which[k - 1]
                k -= 1
            ious[k], which[k] = iou, g
            count += 1
    return count


@compiled
def match(
    block: Candidates,
    first: int,
    truth: Truth,
    areas: tuple[float, float],
    rows: NDArray[np.int32],
    results: tuple[Masks, Masks],
) -> int:
    """Match the detections of a block of images with their labels, for ten IoU thresholds and all settings at once.

    The rule is that of Ultralytics' ``match_predictions``: in falling order of score each detection takes the label of
    its class with the highest IoU that is still free, and hits where that IoU is at least the threshold. Of equal IoUs
    the first label is taken. For a range of sizes it is COCO's rule (pycocotools, ``evaluateImg``): labels outside the
    range count neither way, nor do detections that find nothing better than those, nor unmatched detections outside
    ``areas``.

    Args:
        block: N boxes of some images.
        first: The index of the first of these images.
        truth: The labels of all images.
        areas: low, high (square pixels of the original image; low is included, high is not).
        rows: (N,) is overwritten: the candidate's row in ``results``, or -1 where all masks would be 0.
        results: Two arrays (R, 10), a column for each of ``IOUS``: in which settings the candidate is a true positive,
            and in which it is neither that nor a false positive.

    Returns:
        Rows of ``results`` that were written.
    """
    used = 0
    for image in range(len(block.offsets) - 1):
        used = _match_image(block, image, truth, first + image, areas, rows, results, used)
    return used


@compiled
def _match_image(  # noqa: C901  (the loop over labels is the rule itself)
    block: Candidates,
    image: int,
    truth: Truth,
    place: int,
    areas: tuple[float, float],
    rows: NDArray[np.int32],
    results: tuple[Masks, Masks],
    used: int,
) -> int:
    begin, end = truth.offsets[place], truth.offsets[place + 1]
    taken = np.zeros((end - begin, 10), np.uint64)
    found = (np.empty(end - begin, np.float32), np.empty(end - begin, np.int64))
    box, nothing = np.empty(4, np.float32), np.uint64(0)
    for row in range(block.offsets[image], block.offsets[image + 1]):
        rows[row] = -1
        if block.masks[row] == 0:
            continue
        to_truth(block.boxes[row], truth.frames[place], box)
        count = _candidates_for(box, block.classes[row], truth, (begin, end), found)
        area = (box[2] - box[0]) * (box[3] - box[1]) * truth.scales[place]
        outside = area < areas[0] or area >= areas[1]
        if count == 0 and not outside:
            continue
        any_hit = nothing
        for t in range(10):
            hit, ignored, open_ = nothing, nothing, block.masks[row]
            for ignoring in range(2):
                for k in range(count):
                    g = found[1][k]
                    if found[0][k] < IOUS[t] or open_ == 0:
                        break
                    if truth.ignored[g] != (ignoring == 1):
                        continue
                    free = open_ & ~taken[g - begin, t]
                    taken[g - begin, t] |= free
                    open_ &= ~free
                    if ignoring == 1:
                        ignored |= free
                    else:
                        hit |= free
            results[0][used, t] = hit
            results[1][used, t] = ignored | open_ if outside else ignored
            any_hit |= hit | results[1][used, t]
        if any_hit != 0:
            rows[row] = used
            used += 1
    return used
