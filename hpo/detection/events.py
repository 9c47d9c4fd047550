"""Kept detections of a split in falling order of score, with the settings that keep them and where they hit.

One ``Events`` stands for up to 64 suppression settings; every confidence threshold is a prefix of it. Images are worked
through in blocks, so that what is needed besides the result stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.detection import matching
from hpo.detection.kernel import compiled
from hpo.detection.kinds import Group, groups
from hpo.detection.picked import Picked
from hpo.detection.predictions import EVERY_SIZE, Areas, Predictions
from hpo.detection.suppression import Candidates, Masks
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import OperatingPoint, SweepPlan

BLOCK = 64
"""Images; at most 64 (``kinds`` keeps their number in six bits)."""


@dataclass(frozen=True)
class _Part:
    """Detections that some settings keep, and what each is at the IoUs of ``matching.IOUS``."""

    scores: NDArray[np.float32]
    """(E,) confidences in [0, 1]."""
    classes: NDArray[np.int32]
    """(E,) class indices."""
    images: NDArray[np.int32]
    """(E,) indices of the images in the split."""
    masks: Masks
    """(E,) which settings keep it."""
    rows: NDArray[np.int32]
    """(E,) its row in ``hits`` and ``ignored``, or -1: then neither holds anywhere."""
    hits: Masks
    """(R, 10) in which settings it is a true positive, at each of ``matching.IOUS``."""
    ignored: Masks
    """(R, 10) in which settings it is no false positive either (see ``matching.match``)."""


@dataclass(frozen=True)
class Events(_Part):
    """E kept detections, ``scores`` falling, ties in order of image; bit b of the masks belongs to ``settings[b]``."""

    settings: tuple[OperatingPoint, ...]
    """At ``conf`` = ``FLOOR``."""

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, bit: int) -> Picked:
        """Take what a setting keeps, at all confidences.

        Args:
            bit: Index of the setting in ``settings``.

        Returns:
            The detections, in their order.
        """
        kept = np.flatnonzero(self.masks >> np.uint64(bit) & np.uint64(1))
        hits, ignored = (_bits_of(masks, np.uint64(bit))[self.rows[kept]] for masks in (self.hits, self.ignored))
        above = np.ones(len(kept), np.bool_)
        return Picked(self.scores[kept], self.classes[kept], self.images[kept], hits, ignored, above)


@compiled
def _bits_of(masks: Masks, setting: np.uint64) -> NDArray[np.uint16]:
    """(R + 1,) one word a row, with a bit for each IoU threshold; 0 in the last, which row -1 stands for."""
    words = np.zeros(len(masks) + 1, np.uint16)
    for row in range(len(masks)):
        for t in range(10):
            words[row] |= ((masks[row, t] >> setting) & np.uint64(1)) << np.uint64(t)
    return words


def every(
    predictions: Predictions, plan: SweepPlan, kind: Kind, *, areas: Areas = EVERY_SIZE, threads: int = 1
) -> Iterator[Events]:
    """Suppress and match at all settings of a kind that a plan names.

    Args:
        predictions: Candidates and labels of I images.
        plan: Names the settings; where it names no limit of detections, the labels decide (``SweepPlan.for_labels``).
        kind: The kind of suppression.
        areas: The range of label sizes that counts, [low, high) in square pixels of the original image.
        threads: Threads that share the blocks of images; the result does not depend on it.

    Yields:
        The events of one group of settings after the other, at most 64 settings each, in the plan's order.
    """
    for group in groups(plan.for_labels(predictions.most_labels), kind):
        yield from _collect(predictions, group, areas, threads)


def single(predictions: Predictions, point: OperatingPoint, *, areas: Areas = EVERY_SIZE, threads: int = 1) -> Events:
    """Suppress and match at one setting, whatever its confidence.

    Args:
        predictions: Candidates and labels of I images.
        point: The setting; its confidence thresholds are not looked at.
        areas: The range of label sizes that counts, [low, high) in square pixels of the original image.
        threads: Threads that share the blocks of images; the result does not depend on it.

    Returns:
        The events; bit 0 stands for the setting.
    """
    return next(every(predictions, _plan_of(point), point.kind, areas=areas, threads=threads))


def _plan_of(point: OperatingPoint) -> SweepPlan:
    return SweepPlan(
        kinds=(point.kind,),
        ious=() if point.iou is None else (point.iou,),
        sigmas=() if point.sigma is None else (point.sigma,),
        floors=(point.floor,),
        max_dets=(point.max_det,),
    )


def matched_block(
    predictions: Predictions, point: OperatingPoint, first: int, last: int
) -> tuple[Candidates, NDArray[np.int32], Masks]:
    """Suppress and match some images at one setting, and keep their boxes.

    Args:
        predictions: Candidates and labels.
        point: The setting; its confidence thresholds are not looked at.
        first: Index of the first image.
        last: Index behind the last image; at most ``BLOCK`` images.

    Returns:
        The N boxes that are left or marked as suppressed; (N,) their rows in the hits, or -1; and the (R, 10) hits. Bit
        0 of every mask stands for the setting; rows and hits are as in ``Events``.
    """
    _, suppress = next(groups(_plan_of(point), point.kind))
    block = suppress(predictions, first, last)[0]
    rows, hits, _ = _match(block, _truth(predictions, EVERY_SIZE), first, EVERY_SIZE)
    return block, rows, hits


def _collect(predictions: Predictions, group: Group, areas: Areas, threads: int) -> Iterator[Events]:
    settings, suppress = group
    truth = _truth(predictions, areas)

    def work(first: int) -> list[_Part]:
        blocks = suppress(predictions, first, min(first + BLOCK, len(predictions)))
        return [_matched(block, truth, first, areas) for block in blocks]

    with ThreadPoolExecutor(threads) as pool:
        parts = list((pool.map if threads > 1 else map)(work, range(0, len(predictions), BLOCK)))
    for index, points in enumerate(settings):
        yield _merged(points, [part[index] for part in parts])


def _truth(predictions: Predictions, areas: Areas) -> matching.Truth:
    area = predictions.truth_areas.astype(np.float64)
    return matching.Truth(
        predictions.truth_boxes,
        predictions.truth_classes,
        (area < areas[0]) | (area >= areas[1]),
        predictions.truth_offsets,
        predictions.frames,
        _scales(predictions, area),
    )


def _scales(predictions: Predictions, area: NDArray[np.float64]) -> NDArray[np.float64]:
    """(I,) scales, taken from the labels, which are known in both; an image without any has the mean of the others."""
    boxes = predictions.truth_boxes.astype(np.float64)
    here = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    image, n = predictions.label_images, len(predictions)
    above, below = np.bincount(image, area, n), np.bincount(image, here, n)
    mean = above.sum() / below.sum() if below.sum() > 0 else 1.0
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), mean)


def _matched(block: Candidates, truth: matching.Truth, first: int, areas: Areas) -> _Part:
    rows, *results = _match(block, truth, first, areas)
    kept = np.flatnonzero(block.masks)
    n = len(block.offsets) - 1
    images = np.repeat(np.arange(first, first + n, dtype=np.int32), np.diff(block.offsets))
    return _Part(block.scores[kept], block.classes[kept], images[kept], block.masks[kept], rows[kept], *results)


def _match(
    block: Candidates, truth: matching.Truth, first: int, areas: Areas
) -> tuple[NDArray[np.int32], Masks, Masks]:
    rows = np.empty(len(block.scores), np.int32)
    hits, ignored = (np.zeros((len(rows), 10), np.uint64) for _ in range(2))
    used = matching.match(block, first, truth, areas, rows, (hits, ignored))
    return rows, hits[:used].copy(), ignored[:used].copy()


def _merged(settings: tuple[OperatingPoint, ...], parts: list[_Part]) -> Events:
    shifts = np.cumsum([0, *(len(part.hits) for part in parts)])
    rows = [np.where(part.rows >= 0, part.rows + shift, -1) for part, shift in zip(parts, shifts, strict=False)]
    scores, hits, ignored = (_whole(parts, name) for name in ("scores", "hits", "ignored"))
    order = falling(scores)
    classes, images, masks = (_whole(parts, name)[order] for name in ("classes", "images", "masks"))
    return Events(
        scores[order], classes, images, masks, np.concatenate(rows).astype(np.int32)[order], hits, ignored, settings
    )


def _whole(parts: list[_Part], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])


def falling(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the stable order by falling score.

    Not negative fp32 numbers compare as their bits do: with the index in the lower half all keys are distinct, and
    NumPy's fastest sort, which is not stable, gives the stable order.

    Args:
        scores: (N,) float32, none negative and none NaN; at most 2^32 of them.

    Returns:
        (N,) the indices, highest score first; equal scores in their order.
    """
    bits = ~np.ascontiguousarray(scores, np.float32).view(np.uint32)
    keys = (bits.astype(np.uint64) << np.uint64(32)) | np.arange(len(scores), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
