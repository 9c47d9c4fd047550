from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hpo.detection import suppression
from tests.detection import reference

IOUS = np.round(np.arange(0.1, 0.91, 0.025), 3)
GRID = (IOUS, suppression.bins(IOUS))
SEEDS = st.integers(0, 2**32 - 1)
Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def candidates(seed: int, most: int = 150, classes: int = 4) -> Candidates:
    """Return boxes in clusters, scores (all distinct and falling) and classes."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, most))
    centres = rng.uniform(20, 600, (max(1, n // 20), 2))[rng.integers(0, max(1, n // 20), n)] + rng.normal(0, 5, (n, 2))
    sizes = rng.uniform(5, 80, (n, 2))
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1).astype(np.float32)
    scores = np.sort(rng.choice(10**6, n, replace=False).astype(np.float32))[::-1] / np.float32(10**6)
    return boxes, np.ascontiguousarray(scores), rng.integers(0, classes, n).astype(np.int32)


def hard(boxes: Any, classes: Any, *, by_class: bool = True, grid: Any = GRID) -> NDArray[np.uint64]:
    masks = np.zeros(len(boxes), np.uint64)
    suppression.hard_masks(boxes, classes, (0, len(boxes)), int(classes.max()) + 1, by_class, grid, masks)
    return masks


def kept(masks: NDArray[np.uint64], bit: int) -> list[int]:
    return [int(i) for i in np.flatnonzero((masks >> np.uint64(bit)) & np.uint64(1))]


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("classes", [1, 4, 80])
def test_every_threshold_keeps_what_torchvision_keeps(classes: int, by_class: bool) -> None:
    """Results are equal bit for bit, even if the shift by class * 7680 px rounds the boxes (class ids near 80)."""
    for seed in range(30):
        boxes, scores, own = candidates(seed, most=500, classes=classes)
        masks = hard(boxes, own, by_class=by_class)
        shift = torch.from_numpy(own.astype(np.float32))[:, None] * (7680 if by_class else 0)
        for bit, threshold in enumerate(IOUS):
            theirs = torchvision.ops.nms(torch.from_numpy(boxes) + shift, torch.from_numpy(scores), float(threshold))
            assert kept(masks, bit) == sorted(theirs.tolist())


def test_a_grid_of_64_thresholds_takes_one_pass() -> None:
    ious = np.linspace(0.02, 0.99, 64)
    boxes, scores, own = candidates(3)
    masks = hard(boxes, own, grid=(ious, suppression.bins(ious)))
    for bit in (0, 31, 63):
        assert kept(masks, bit) == sorted(reference.greedy(boxes, scores, own, ious[bit]))


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_diou_keeps_what_the_textbook_keeps(seed: int) -> None:
    boxes, scores, own = candidates(seed, most=60)
    masks = np.zeros(len(boxes), np.uint64)
    suppression.diou_masks(boxes, own, (0, len(boxes)), 4, GRID, masks)
    exact = boxes.astype(np.float64)
    pairs = [reference.diou(a, b) for i, a in enumerate(exact) for b in exact[:i]]
    for bit in (0, 8, 16, 24, 32):
        if not any(abs(pair - IOUS[bit]) < 1e-9 for pair in pairs):
            assert kept(masks, bit) == sorted(reference.greedy(exact, scores, own, IOUS[bit], reference.diou))


@given(SEEDS, st.sampled_from(range(33)))
@settings(max_examples=50, deadline=None)
def test_suppression_is_idempotent(seed: int, bit: int) -> None:
    boxes, _, own = candidates(seed)
    first = kept(hard(boxes, own), bit)
    again = hard(np.ascontiguousarray(boxes[first]), np.ascontiguousarray(own[first]))
    assert kept(again, bit) == list(range(len(first)))


@given(SEEDS, st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_a_threshold_closes_after_max_det_detections(seed: int, max_det: int) -> None:
    boxes, _, own = candidates(seed)
    masks = hard(boxes, own)
    closed = masks.copy()
    suppression.close(closed, (0, len(masks)), max_det)
    for bit in range(len(IOUS)):
        assert kept(closed, bit) == kept(masks, bit)[:max_det]


@given(SEEDS)
@settings(max_examples=50, deadline=None)
def test_overlap_is_symmetric_and_a_share(seed: int) -> None:
    boxes, _, _ = candidates(seed, most=40)
    n = len(boxes)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    x1, y1, x2, y2 = (np.ascontiguousarray(side) for side in boxes.T)
    sides = (x1, y1, x2, y2, area)
    table = np.empty((n, n), np.float32)
    for i in range(n):
        suppression._ious(sides, 0, n, (x1[i], y1[i], x2[i], y2[i], area[i]), table[i], np.float32(0.5))
    assert np.array_equal(table, table.T)
    assert ((table >= 0) & (table <= 1 + 1e-6)).all()


def test_boxes_without_area_suppress_nothing() -> None:
    boxes = np.array([[5, 5, 5, 5]] * 3, np.float32)
    assert kept(hard(boxes, np.zeros(3, np.int32)), 0) == [0, 1, 2]
