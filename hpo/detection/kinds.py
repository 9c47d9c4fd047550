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
from hpo.detection.predictions import Predictions
from hpo.detection.suppression import Candidates
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import FLOOR, MAX_IOUS, OperatingPoint, SweepPlan

Suppress = Callable[[Predictions, int, int], list[Candidates]]
"""Suppresses the images ``first:last``, and gives one value for each tuple of settings of a group."""
Group = tuple[list[tuple[OperatingPoint, ...]], Suppress]


@dataclass(frozen=True)
class Suppressor:
    """How a kind is computed."""

    run: Callable[..., list[Candidates]]
    """(predictions, first, last, points): the images ``first:last`` at some settings, ``conf`` of which is the floor.
    One value a setting; with ``in_masks`` a single one, where bit b of a word stands for ``points[b]``."""
    at_once: int = 1
    """Settings that share a pass, at most."""
    in_masks: bool = False


def suppressor(kind: Kind) -> Suppressor:
    """Look up what does a kind; the type checker names a kind that is missing here.

    Args:
        kind: The kind of suppression.

    Returns:
        How the kind is computed.
    """
    match kind:
        case Kind.HARD | Kind.AGNOSTIC | Kind.DIOU:
            return Suppressor(partial(_greedy, kind=kind), MAX_IOUS, in_masks=True)
        case Kind.SOFT | Kind.SOFT_LINEAR:
            return Suppressor(partial(_soft, gaussian=kind is Kind.SOFT), MAX_IOUS)
        case Kind.WBF:
            return Suppressor(_fused)
        case Kind.NONE:
            return Suppressor(_all)


def groups(plan: SweepPlan, kind: Kind) -> Iterator[Group]:
    """Group the settings of a kind that a plan names, as many at a time as share one pass.

    Suppression does not depend on the limit of detections: it runs at the highest, and the lower ones cut its result.

    Args:
        plan: Names the values of each axis, and the limits (``SweepPlan.for_labels``).
        kind: The kind of suppression.

    Yields:
        Settings and what suppresses at them. The settings are a list of tuples, one for each ``Candidates`` that comes
        out; bit b of its masks stands for setting b of the tuple. Within a group the limit is the outermost loop, the
        lowest first, then comes the first axis of the kind.
    """
    axes, how = [axis.value for axis in kind.row.axes], suppressor(kind)
    base: dict[str, Any] = {"iou": None, "conf": FLOOR, "max_det": plan.max_dets[-1], "kind": kind}
    values = product(*(plan.axis(axis) for axis in kind.row.axes))
    points = [OperatingPoint(**base | dict(zip(axes, each, strict=True))) for each in values]
    for first in range(0, len(points), how.at_once):
        some = tuple(points[first : first + how.at_once])
        together = [some] if how.in_masks else [(point,) for point in some]
        settings = [
            tuple(replace(point, max_det=limit) for point in each) for limit in plan.max_dets for each in together
        ]
        yield settings, partial(_limited, run=partial(how.run, points=some), limits=plan.max_dets)


def _limited(
    predictions: Predictions, first: int, last: int, *, run: Suppress, limits: Sequence[int]
) -> list[Candidates]:
    """Suppress once, and cut what is left at each limit; at the highest it is cut already."""
    found = run(predictions, first, last)
    lower = [_cut(block, limit) for limit in limits[:-1] for block in found]
    return [*lower, *found]


def _cut(block: Candidates, limit: int) -> Candidates:
    cut = block._replace(masks=block.masks.copy())
    for image in range(len(block.offsets) - 1):
        suppression.close(cut.masks, (block.offsets[image], block.offsets[image + 1]), limit)
    return cut


def _greedy(
    predictions: Predictions, first: int, last: int, points: Sequence[OperatingPoint], *, kind: Kind
) -> list[Candidates]:
    thresholds = np.array([point.iou for point in points], np.float64)
    block, by_class, diou = _block(predictions, first, last), kind.row.by_class, kind is Kind.DIOU
    grid = (thresholds, suppression.bins(thresholds))
    suppression.greedy(block, len(predictions.names), by_class, diou, grid, points[0].max_det)
    return [block]


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
    order = order[np.arange(len(order)) - begins[images[order]] < limit]
    offsets = np.searchsorted(images[order], np.arange(n_images + 1)).astype(np.int64)
    kept = np.ascontiguousarray(boxes[order], np.float32)
    return Candidates(kept, rounded[order], classes[order], offsets, np.ones(len(order), np.uint64))


def _block(predictions: Predictions, first: int, last: int) -> Candidates:
    begin, end = predictions.offsets[first], predictions.offsets[last]
    return Candidates(
        predictions.boxes[begin:end],
        predictions.scores[begin:end],
        predictions.classes[begin:end],
        predictions.offsets[first : last + 1] - begin,
        np.zeros(end - begin, np.uint64),
    )
