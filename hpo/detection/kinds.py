"""What suppression leaves of a block of images: one function a kind, at all thresholds of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hpo.detection import fusion, soft, suppression
from hpo.detection.kernel import compiled
from hpo.detection.predictions import Predictions
from hpo.detection.suppression import Words
from hpo.trial.operating_point import FLOOR, MAX_IOUS, Kind, OperatingPoint, SweepPlan


@dataclass(frozen=True)
class Candidates:
    """Of a block of images after suppression, in falling order of score within each."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    words: Words


Suppress = Callable[[Predictions, int, int], list[Candidates]]
"""Of the images ``first:last``: one value for each tuple of settings of a group."""
Group = tuple[list[tuple[OperatingPoint, ...]], Suppress]


def groups(plan: SweepPlan, kind: Kind, max_det: int) -> Iterator[Group]:
    """The settings of ``kind`` that ``plan`` names, as many at a time as share one pass."""
    base = OperatingPoint(iou=None, conf=FLOOR, max_det=max_det, kind=kind)
    match kind:
        case Kind.HARD | Kind.AGNOSTIC | Kind.DIOU:
            for first in range(0, len(plan.ious), MAX_IOUS):
                ious = plan.ious[first : first + MAX_IOUS]
                points = tuple(replace(base, iou=iou) for iou in ious)
                yield [points], partial(_greedy, kind=kind, ious=ious, limit=max_det)
        case Kind.SOFT:
            soft_points: list[tuple[OperatingPoint, ...]] = [(replace(base, sigma=sigma),) for sigma in plan.sigmas]
            yield soft_points, partial(_soft, gaussian=True, values=plan.sigmas, limit=max_det)
        case Kind.SOFT_LINEAR:
            linear: list[tuple[OperatingPoint, ...]] = [(replace(base, iou=iou),) for iou in plan.ious]
            yield linear, partial(_soft, gaussian=False, values=plan.ious, limit=max_det)
        case Kind.WBF:
            for floor in plan.floors:
                for iou in plan.ious:
                    point = replace(base, iou=iou, floor=floor)
                    yield [(point,)], partial(_fused, iou=iou, floor=floor, limit=max_det)
        case Kind.NONE:
            yield [(base,)], partial(_all, limit=max_det)


def _greedy(
    predictions: Predictions, first: int, last: int, *, kind: Kind, ious: tuple[float, ...], limit: int
) -> list[Candidates]:
    thresholds = np.asarray(ious, np.float64)
    block = _block(predictions, first, last)
    grid = (thresholds, suppression.bins(thresholds))
    mode = {Kind.HARD: 0, Kind.AGNOSTIC: 1, Kind.DIOU: 2}[kind]
    _greedy_block(block.boxes, block.classes, block.offsets, len(predictions.names), mode, grid, limit, block.words)
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
    words: Words,
) -> None:
    for image in range(len(offsets) - 1):
        span = (offsets[image], offsets[image + 1])
        if mode == 2:
            suppression.diou_words(boxes, classes, span, n_classes, grid, words)
        else:
            suppression.hard_words(boxes, classes, span, n_classes, mode == 0, grid, words)
        suppression.close(words, span, limit)


def _all(predictions: Predictions, first: int, last: int, *, limit: int) -> list[Candidates]:
    block = _block(predictions, first, last)
    block.words[:] = 1
    for image in range(last - first):
        suppression.close(block.words, (block.offsets[image], block.offsets[image + 1]), limit)
    return [block]


def _soft(
    predictions: Predictions, first: int, last: int, *, gaussian: bool, values: tuple[float, ...], limit: int
) -> list[Candidates]:
    block = _block(predictions, first, last)
    scores = np.zeros((len(values), len(block.scores)))
    arrays = (block.boxes, block.scores, block.classes)
    for image in range(last - first):
        span = (block.offsets[image], block.offsets[image + 1])
        soft.soft_scores(*arrays, span, len(predictions.names), gaussian, np.asarray(values, float), FLOOR, scores)
    images = np.repeat(np.arange(last - first), np.diff(block.offsets))
    return [_ranked(block.boxes, line, block.classes, images, limit, last - first) for line in scores]


def _fused(
    predictions: Predictions, first: int, last: int, *, iou: float, floor: float, limit: int
) -> list[Candidates]:
    block = _block(predictions, first, last)
    n = len(block.scores)
    boxes, scores, classes = np.zeros((n, 4)), np.zeros(n), np.zeros(n, np.int32)
    images, total = np.zeros(n, np.int64), 0
    for image in range(last - first):
        span = (int(block.offsets[image]), int(block.offsets[image + 1]))
        out = (boxes[total:], scores[total:], classes[total:])
        made = fusion.fuse(
            block.boxes, block.scores, block.classes, span, len(predictions.names), iou, max(floor, FLOOR), out
        )
        images[total : total + made] = image
        total += made
    return [_ranked(boxes[:total], scores[:total], classes[:total], images[:total], limit, last - first)]


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
