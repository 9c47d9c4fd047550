"""What suppression leaves of a block of images: what does each kind, at all settings of a plan.

``hpo.trial.kinds`` has the row of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.detection import fusion, soft, suppression
from hpo.detection.kernel import compiled
from hpo.detection.predictions import Predictions
from hpo.detection.suppression import Masks
from hpo.trial.kinds import Axis, Kind
from hpo.trial.operating_point import FLOOR, MAX_IOUS, OperatingPoint, SweepPlan


@dataclass(frozen=True)
class Candidates:
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


Suppress = Callable[[Predictions, int, int], list[Candidates]]
"""Suppresses the images ``first:last``, and gives one value for each tuple of settings of a group."""
Group = tuple[list[tuple[OperatingPoint, ...]], Suppress]


@dataclass(frozen=True)
class Suppressor:
    """How a kind is computed."""

    run: Callable[[Predictions, int, int, Sequence[OperatingPoint]], list[Candidates]]
    """(predictions, first, last, points): the images ``first:last`` at some settings, ``conf`` of which is the floor.
    One value a setting; with ``in_masks`` a single one, where bit b of a word stands for ``points[b]``."""
    at_once: int = 1
    """Settings that share a pass, at most."""
    in_masks: bool = False


def suppressor(kind: Kind) -> Suppressor:  # noqa: PLR0911  (one a kind)
    """Look up what does a kind; the type checker names a kind that is missing here.

    Args:
        kind: The kind of suppression.

    Returns:
        How the kind is computed.
    """
    match kind:
        case Kind.HARD:
            return Suppressor(partial(_greedy, mode=_BY_CLASS), MAX_IOUS, in_masks=True)
        case Kind.AGNOSTIC:
            return Suppressor(partial(_greedy, mode=_TOGETHER), MAX_IOUS, in_masks=True)
        case Kind.DIOU:
            return Suppressor(partial(_greedy, mode=_BY_DISTANCE), MAX_IOUS, in_masks=True)
        case Kind.SOFT:
            return Suppressor(partial(_soft, gaussian=True), MAX_IOUS)
        case Kind.SOFT_LINEAR:
            return Suppressor(partial(_soft, gaussian=False), MAX_IOUS)
        case Kind.WBF:
            return Suppressor(_fused)
        case Kind.NONE:
            return Suppressor(_all)


def groups(plan: SweepPlan, kind: Kind, max_det: int) -> Iterator[Group]:
    """Group the settings of a kind that a plan names, as many at a time as share one pass.

    Args:
        plan: Names the values of each axis.
        kind: The kind of suppression.
        max_det: Detections an image at most, at least 1.

    Yields:
        Settings and what suppresses at them. The settings are a list of tuples, one for each ``Candidates`` that comes
        out; bit b of its masks stands for setting b of the tuple. The first axis of the kind is the outermost loop.
    """
    base = OperatingPoint(iou=None, conf=FLOOR, max_det=max_det, kind=kind)
    axes, how = kind.row.axes, suppressor(kind)
    values = product(*(plan.axis(axis) for axis in axes))
    points = [_at(base, axes, each) for each in values]
    for first in range(0, len(points), how.at_once):
        some = tuple(points[first : first + how.at_once])
        yield [some] if how.in_masks else [(point,) for point in some], partial(_run, how, some)


def _at(base: OperatingPoint, axes: tuple[Axis, ...], values: tuple[float, ...]) -> OperatingPoint:
    chosen: dict[str, Any] = {axis.value: value for axis, value in zip(axes, values, strict=True)}
    return replace(base, **chosen)


def _run(
    how: Suppressor, points: tuple[OperatingPoint, ...], predictions: Predictions, first: int, last: int
) -> list[Candidates]:
    return how.run(predictions, first, last, points)


_BY_CLASS, _TOGETHER, _BY_DISTANCE = 0, 1, 2


def _greedy(
    predictions: Predictions, first: int, last: int, points: Sequence[OperatingPoint], *, mode: int
) -> list[Candidates]:
    thresholds = np.array([point.iou for point in points], np.float64)
    block = _block(predictions, first, last)
    grid, limit = (thresholds, suppression.bins(thresholds)), points[0].max_det
    _greedy_block(block.boxes, block.classes, block.offsets, len(predictions.names), mode, grid, limit, block.masks)
    return [block]


@compiled
def _greedy_block(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int32],
    offsets: NDArray[np.int64],
    n_classes: int,
    mode: int,
    grid: suppression.Grid,
    limit: int,
    masks: Masks,
) -> None:
    for image in range(len(offsets) - 1):
        span = (offsets[image], offsets[image + 1])
        if mode == _BY_DISTANCE:
            suppression.diou_masks(boxes, classes, span, n_classes, grid, masks)
        else:
            suppression.hard_masks(boxes, classes, span, n_classes, mode == _BY_CLASS, grid, masks)
        suppression.close(masks, span, limit)


def _all(predictions: Predictions, first: int, last: int, points: Sequence[OperatingPoint]) -> list[Candidates]:
    block = _block(predictions, first, last)
    block.masks[:] = 1
    for image in range(last - first):
        suppression.close(block.masks, (block.offsets[image], block.offsets[image + 1]), points[0].max_det)
    return [block]


def _soft(
    predictions: Predictions, first: int, last: int, points: Sequence[OperatingPoint], *, gaussian: bool
) -> list[Candidates]:
    values = np.array([point.sigma if gaussian else point.iou for point in points], np.float64)
    block = _block(predictions, first, last)
    scores = np.zeros((len(values), len(block.scores)))
    arrays = (block.boxes, block.scores, block.classes)
    for image in range(last - first):
        span = (block.offsets[image], block.offsets[image + 1])
        soft.soft_scores(*arrays, span, len(predictions.names), gaussian, values, FLOOR, scores)
    images = np.repeat(np.arange(last - first), np.diff(block.offsets))
    return [_ranked(block.boxes, line, block.classes, images, points[0].max_det, last - first) for line in scores]


def _fused(predictions: Predictions, first: int, last: int, points: Sequence[OperatingPoint]) -> list[Candidates]:
    (point,) = points
    assert point.iou is not None  # noqa: S101  (an axis of this kind)
    block = _block(predictions, first, last)
    n, floor = len(block.scores), max(point.floor, FLOOR)
    boxes, scores, classes = np.zeros((n, 4)), np.zeros(n), np.zeros(n, np.int32)
    images, total = np.zeros(n, np.int64), 0
    for image in range(last - first):
        span = (int(block.offsets[image]), int(block.offsets[image + 1]))
        out = (boxes[total:], scores[total:], classes[total:])
        made = fusion.fuse(
            block.boxes, block.scores, block.classes, span, len(predictions.names), point.iou, floor, out
        )
        images[total : total + made] = image
        total += made
    return [_ranked(boxes[:total], scores[:total], classes[:total], images[:total], point.max_det, last - first)]


def _ranked(
    boxes: NDArray[np.float64] | NDArray[np.float32],
    scores: NDArray[np.float64],
    classes: NDArray[np.int32],
    images: NDArray[np.int64],
    limit: int,
    n_images: int,
) -> Candidates:
    """Sorted within each image, what is 0 or beyond ``limit`` left out; images are numbered from 0 within their block.

    The key is image, falling score (the bits of a not negative fp32 number compare as it does), row: all are distinct,
    and the quickest sort gives the stable order.
    """
    left = np.flatnonzero(scores > 0).astype(np.uint64)
    rounded = scores.astype(np.float32)
    falling = (~rounded.view(np.uint32)[left]).astype(np.uint64)
    keys = (images.astype(np.uint64)[left] << np.uint64(58)) | (falling << np.uint64(26)) | left
    keys.sort()
    order = (keys & np.uint64((1 << 26) - 1)).astype(np.int64)
    begins = np.searchsorted(images[order], np.arange(n_images + 1))
    place = np.arange(len(order)) - begins[images[order]]
    order = order[place < limit]
    return Candidates(
        np.ascontiguousarray(boxes[order], np.float32),
        rounded[order],
        classes[order],
        np.searchsorted(images[order], np.arange(n_images + 1)).astype(np.int64),
        np.ones(len(order), np.uint64),
    )


def _block(predictions: Predictions, first: int, last: int) -> Candidates:
    begin, end = predictions.offsets[first], predictions.offsets[last]
    return Candidates(
        predictions.boxes[begin:end],
        predictions.scores[begin:end],
        predictions.classes[begin:end],
        predictions.offsets[first : last + 1] - begin,
        np.zeros(end - begin, np.uint64),
    )
