"""Greedy suppression at up to 64 thresholds in one pass: one bit of a machine word a threshold.

A candidate's word has bit b set where greedy NMS at threshold ``ious[b]`` keeps it. Lower-scored boxes never suppress
higher ones, so what NMS keeps above a confidence t is what it keeps at the floor, above t: one pass per suppression
gives every confidence.

For candidate j and each earlier kept candidate i that can suppress it, the bits of all thresholds below their overlap
at which i is kept are taken from j; when none is left, j is done. One overlap a pair serves all thresholds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpo.detection.by_class import class_order
from hpo.detection.kernel import compiled

Masks = NDArray[np.uint64]
Kept = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""x1, y1, x2, y2 and area of kept boxes, an array each."""
Box = tuple[Any, Any, Any, Any, Any]
"""The same of one box."""
Span = tuple[int, int]
"""First candidate of an image, and first of the next."""
Grid = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Thresholds, ascending, at most 64, each in (0, 1]; and their ``bins``."""

CLASS_SHIFT_PX = 7680.0
"""Ultralytics parts classes by adding class * 7680 px in fp32, which itself rounds the boxes of high class indices."""
_BLOCK = 64
"""Overlaps are computed for so many kept boxes at a time, by vector instructions, before any is looked at."""
_BINS = 1024


class Candidates(NamedTuple):
    """N boxes of a block of images after suppression, in falling order of score within each image."""

    boxes: NDArray[np.float32]
    """(N, 4) x1, y1, x2, y2 in pixels of the network's input."""
    scores: NDArray[np.float32]
    """(N,) in [0, 1], as the suppression leaves them."""
    classes: NDArray[np.int32]
    """(N,)"""
    offsets: NDArray[np.int64]
    """(I + 1,) boxes of image i of the block are rows ``offsets[i]:offsets[i + 1]``."""
    masks: Masks
    """(N,) bit b is set where setting b keeps the box."""


def bins(ious: NDArray[np.float64]) -> NDArray[np.int64]:
    """Tabulate where the search for an overlap's bits starts.

    Args:
        ious: (T,) thresholds, ascending.

    Returns:
        (1025,) how many of ``ious`` lie below k / 1024, for k = 0 .. 1024.
    """
    return np.searchsorted(ious, np.arange(_BINS + 1) / _BINS, side="left").astype(np.int64)


@compiled
def thresholds_below(overlap: float, ious: NDArray[np.float64], starts: NDArray[np.int64]) -> int:
    """Count the thresholds that an overlap is above.

    Args:
        overlap: IoU or DIoU, at most 1; a negative one or NaN (two boxes without area) is above none.
        ious: (T,) thresholds, ascending.
        starts: Their ``bins``.

    Returns:
        How many of ``ious`` lie below ``overlap``; an equal one does not.
    """
    if not overlap > 0.0:  # negative (DIoU), or NaN (two boxes without area)
        return 0
    found = int(starts[min(int(overlap * _BINS), _BINS)])
    while found < len(ious) and ious[found] < overlap:
        found += 1
    return found


@compiled
def _ious(kept: Kept, begin: int, end: int, box: Box, out: NDArray[np.float32], least: np.float32) -> bool:
    """IoU of ``box`` with the kept ones ``begin:end``, as torchvision's NMS has it; whether any is above ``least``.

    Unsigned indices need no check for negative ones: without that, no vector instructions come out.
    """
    left, top, right, bottom, area = kept
    x1, y1, x2, y2, own = box
    zero, offset, found = np.float32(0.0), np.uint64(begin), False
    for k in range(np.uint64(end - begin)):
        i = offset + k
        w = max(zero, min(x2, right[i]) - max(x1, left[i]))
        h = max(zero, min(y2, bottom[i]) - max(y1, top[i]))
        inter = w * h
        out[k] = inter / (area[i] + own - inter)
    for k in range(np.uint64(end - begin)):
        found |= out[k] > least
    return found


@compiled
def _dious(kept: Kept, begin: int, end: int, box: Box, out: NDArray[np.float64], least: np.float64) -> bool:
    """As ``_ious``: IoU - (distance of the centres / diagonal of the smallest enclosing box)^2 (Zheng et al. 2020)."""
    left, top, right, bottom, area = kept
    x1, y1, x2, y2, own = box
    offset, found = np.uint64(begin), False
    for k in range(np.uint64(end - begin)):
        i = offset + k
        w = max(0.0, min(x2, right[i]) - max(x1, left[i]))
        h = max(0.0, min(y2, bottom[i]) - max(y1, top[i]))
        inter = w * h
        across, down = max(x2, right[i]) - min(x1, left[i]), max(y2, bottom[i]) - min(y1, top[i])
        apart_x, apart_y = x1 + x2 - left[i] - right[i], y1 + y2 - top[i] - bottom[i]
        distance = 0.25 * (apart_x * apart_x + apart_y * apart_y)
        out[k] = inter / (area[i] + own - inter) - distance / (across * across + down * down)
    for k in range(np.uint64(end - begin)):
        found |= out[k] > least
    return found


@compiled
def _remaining(
    overlaps: NDArray[Any], count: int, kept_masks: Masks, begin: int, word: np.uint64, grid: Grid, least: Any
) -> np.uint64:
    """``word`` without the thresholds at which one of the kept boxes from ``begin`` on suppresses it."""
    ious, starts = grid
    everything = np.uint64(0xFFFFFFFFFFFFFFFF)
    for k in range(count):
        if overlaps[k] > least and kept_masks[begin + k] & word != 0:
            below = thresholds_below(overlaps[k], ious, starts)
            if below > 0:
                word &= ~(kept_masks[begin + k] & (everything >> np.uint64(64 - below)))
    return word


@compiled
def hard_masks(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int32],
    span: Span,
    n_classes: int,
    by_class: bool,
    grid: Grid,
    masks: Masks,
) -> None:
    """Suppress the candidates of one image greedily at all thresholds, bit for bit as torchvision's ``nms`` does.

    A box is suppressed where its IoU with a kept one of higher score is above the threshold; equal to it is not enough.
    IoU is computed in fp32. Classes are parted as in Ultralytics' ``non_max_suppression``: by a shift of 7680 px a
    class.

    Args:
        boxes: (N, 4) float32 x1, y1, x2, y2 in pixels.
        classes: (N,) indices below ``n_classes``.
        span: First candidate of the image, and first of the next; scores fall within it.
        n_classes: C, the number of classes.
        by_class: Whether only boxes of one class suppress each other.
        grid: T thresholds, and their ``bins``.
        masks: (N,) is overwritten within the span: bit b is set where the candidate is kept at threshold b < T.
    """
    if by_class:
        groups = class_order(classes, span[0], span[1], n_classes)
        shifts = (np.arange(n_classes) * CLASS_SHIFT_PX).astype(np.float32)
    else:
        groups = (np.arange(span[0], span[1]), np.array([0, span[1] - span[0]]))
        shifts = np.zeros(1, np.float32)
    _suppress(boxes, groups, shifts, _below(grid[0][0]), grid, masks, by_distance=False)


@compiled
def diou_masks(
    boxes: NDArray[np.float32], classes: NDArray[np.int32], span: Span, n_classes: int, grid: Grid, masks: Masks
) -> None:
    """Suppress as ``hard_masks`` within each class, with DIoU in place of IoU (Zheng et al. 2020, arXiv 1911.08287).

    DIoU is the IoU minus (distance of the centres / diagonal of the smallest enclosing box)^2, computed in float64.

    Args:
        boxes: (N, 4) float32 x1, y1, x2, y2 in pixels.
        classes: (N,) indices below ``n_classes``.
        span: First candidate of the image, and first of the next; scores fall within it.
        n_classes: C, the number of classes.
        grid: T thresholds, and their ``bins``.
        masks: (N,) is overwritten within the span: bit b is set where the candidate is kept at threshold b < T.
    """
    groups = class_order(classes, span[0], span[1], n_classes)
    _suppress(boxes, groups, np.zeros(n_classes), grid[0][0], grid, masks, by_distance=True)


@compiled
def _suppress(
    boxes: NDArray[np.float32],
    groups: tuple[NDArray[np.int64], ...],
    shifts: NDArray[Any],
    least: Any,
    grid: Grid,
    masks: Masks,
    by_distance: bool,
) -> None:
    """Suppress within each group of rows, its boxes moved by its shift; numbers are of the type of the shifts."""
    order, begins = groups
    n, kind, every = len(order), shifts.dtype, np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - len(grid[0]))
    kept = np.empty(n, kind), np.empty(n, kind), np.empty(n, kind), np.empty(n, kind), np.empty(n, kind)
    left, top, right, bottom, area = kept
    kept_masks, overlaps = np.empty(n, np.uint64), np.empty(_BLOCK, kind)
    for group in range(len(shifts)):
        shift, count = shifts[group], 0
        for at in range(begins[group], begins[group + 1]):
            row = order[at]
            x1, y1 = boxes[row, 0] + shift, boxes[row, 1] + shift
            x2, y2 = boxes[row, 2] + shift, boxes[row, 3] + shift
            box = (x1, y1, x2, y2, (x2 - x1) * (y2 - y1))
            word, begin = every, 0
            while begin < count and word != 0:
                end = min(begin + _BLOCK, count)
                if by_distance:
                    found = _dious(kept, begin, end, box, overlaps, least)
                else:
                    found = _ious(kept, begin, end, box, overlaps, least)
                if found:
                    word = _remaining(overlaps, end - begin, kept_masks, begin, word, grid, least)
                begin = end
            masks[row] = word
            if word != 0:
                left[count], top[count], right[count], bottom[count], area[count] = box
                kept_masks[count] = word
                count += 1


@compiled
def _below(threshold: float) -> np.float32:
    """The largest fp32 number that is not above ``threshold``."""
    near = np.float32(threshold)
    return near if near <= threshold else np.nextafter(near, np.float32(0.0))


@compiled
def close(masks: Masks, span: Span, max_det: int) -> None:
    """Keep at most ``max_det`` detections an image at each threshold, those of the highest scores.

    The counts of all thresholds go up together: plane p holds bit p of each of the 64 counts.

    Args:
        masks: (N,) is changed within the span: a bit is cleared once its threshold has ``max_det`` detections.
        span: First candidate of the image, and first of the next; scores fall within it.
        max_det: The limit, at least 1 and below 2^20.
    """
    first, last = span
    if last - first <= max_det:
        return
    planes = np.zeros(20, np.uint64)
    closed = np.uint64(0)
    for row in range(first, last):
        masks[row] &= ~closed
        carry, plane = masks[row], 0
        while carry != 0:
            both = planes[plane] & carry
            planes[plane] ^= carry
            carry, plane = both, plane + 1
        full = masks[row]  # only what was counted just now can have become full
        for plane in range(20):
            full &= planes[plane] if (max_det >> plane) & 1 else ~planes[plane]
        closed |= full


@compiled
def greedy(block: Candidates, n_classes: int, by_class: bool, by_distance: bool, grid: Grid, max_det: int) -> None:
    """Suppress a block of images greedily at all thresholds.

    Args:
        block: The candidates; their masks are overwritten.
        n_classes: C, the number of classes.
        by_class: Whether only boxes of one class suppress each other; so they do with DIoU.
        by_distance: Whether DIoU counts in place of IoU.
        grid: T thresholds, and their ``bins``.
        max_det: Detections an image, at most.
    """
    for image in range(len(block.offsets) - 1):
        span = (block.offsets[image], block.offsets[image + 1])
        if by_distance:
            diou_masks(block.boxes, block.classes, span, n_classes, grid, block.masks)
        else:
            hard_masks(block.boxes, block.classes, span, n_classes, by_class, grid, block.masks)
        close(block.masks, span, max_det)
