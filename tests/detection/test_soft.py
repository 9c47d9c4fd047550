from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.detection import soft
from hpo.trial.operating_point import FLOOR
from tests.detection import reference
from tests.detection.test_suppression import candidates

SEEDS = st.integers(0, 2**32 - 1)
VALUES = np.array([0.1, 0.3, 0.5, 0.8])


def scores_of(
    seed: int, *, gaussian: bool, most: int = 60
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    boxes, scores, classes = candidates(seed, most=most)
    out = np.full((len(VALUES), len(boxes)), np.nan)
    soft.soft_scores(boxes, scores, classes, (0, len(boxes)), 4, gaussian, VALUES, FLOOR, out)
    return out, (boxes.astype(np.float64), scores.astype(np.float64), classes)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_gaussian_scores_are_the_textbooks(seed: int) -> None:
    ours, scene = scores_of(seed, gaussian=True)
    for line, sigma in zip(ours, VALUES, strict=True):
        np.testing.assert_allclose(line, reference.soft(*scene, FLOOR, sigma=sigma), rtol=1e-9, atol=1e-12)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_linear_scores_are_the_textbooks(seed: int) -> None:
    ours, scene = scores_of(seed, gaussian=False)
    for line, threshold in zip(ours, VALUES, strict=True):
        np.testing.assert_allclose(line, reference.soft(*scene, FLOOR, linear=threshold), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gaussian", [True, False])
def test_crowds_too_large_for_a_table_score_the_same(gaussian: bool) -> None:
    """Above a compiled-in bound the table of overlaps is not used; here one class has more candidates than that."""
    rng = np.random.default_rng(0)
    n = 2100
    centres, sizes = rng.uniform(0, 300, (n, 2)), rng.uniform(5, 40, (n, 2))
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1).astype(np.float32)
    scores = np.sort(rng.random(n).astype(np.float32))[::-1].copy()
    half = np.zeros(n, np.int32)
    half[n // 2 :] = 1  # the same candidates in two classes fit the table; lone neighbours decay alike in both
    boxes[n // 2 :] += np.float32(10_000)  # far away: no overlap between the halves
    whole, parted = np.zeros((1, n)), np.zeros((1, n))
    value = np.array([0.4])
    soft.soft_scores(boxes, scores, np.zeros(n, np.int32), (0, n), 1, gaussian, value, FLOOR, whole)
    soft.soft_scores(boxes, scores, half, (0, n), 2, gaussian, value, FLOOR, parted)
    np.testing.assert_allclose(whole, parted, rtol=1e-12)
    assert (whole > 0).sum() > 100
