"""Macro scores at a threshold, and the threshold of the best macro F1, against a plain reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hpo.detection.metrics import Scores, best_macro_f1, macro_at


@dataclass(frozen=True)
class Split:
    tp: NDArray[Any]
    conf: NDArray[Any]
    pred_cls: NDArray[Any]
    target_cls: NDArray[Any]

    def at(self, threshold: float) -> Scores:
        return macro_at(self.tp, self.conf, self.pred_cls, self.target_cls, threshold)

    def best(self) -> tuple[float, Scores]:
        return best_macro_f1(self.tp, self.conf, self.pred_cls, self.target_cls)

    def reordered(self, order: list[int]) -> Split:
        return Split(self.tp[order], self.conf[order], self.pred_cls[order], self.target_cls)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Generate at most as many true positives of a class as it has boxes; few distinct scores, so that ties are
    common.
    """
    targets = draw(st.lists(st.integers(0, 4), max_size=12))
    free = {cls: targets.count(cls) for cls in range(6)}
    tp, conf, pred = [], [], []
    for _ in range(draw(st.integers(0, 25))):
        cls = draw(st.integers(0, 5))
        hit = free[cls] > 0 and draw(st.booleans())
        free[cls] -= hit
        tp.append(hit)
        pred.append(cls)
        conf.append(draw(st.one_of(st.sampled_from([0.1, 0.5, 0.9, 1.0]), st.floats(0, 1))))
    return Split(
        np.array(tp, dtype=bool), np.array(conf, dtype=float), np.array(pred, dtype=int), np.array(targets, dtype=int)
    )


def plain_macro(split: Split, threshold: float) -> tuple[float, float, float]:
    """Compute the definitions, one class and one detection at a time."""
    per_class = []
    for cls in sorted(set(split.target_cls.tolist())):
        boxes = sum(1 for target in split.target_cls if target == cls)
        kept = [
            bool(tp)
            for tp, conf, pred in zip(split.tp, split.conf, split.pred_cls, strict=True)
            if pred == cls and conf > threshold
        ]
        true = sum(kept)
        per_class.append((true / len(kept) if kept else 0.0, true / boxes, 2 * true / (len(kept) + boxes)))
    if not per_class:
        return 0.0, 0.0, 0.0
    precision, recall, f1 = (sum(column) / len(per_class) for column in zip(*per_class, strict=True))
    return precision, recall, f1


def every_cut(split: Split) -> list[float]:
    """Return thresholds that give every possible list of kept detections."""
    return sorted({0.0, *split.conf.tolist()})


@given(splits(), st.floats(0, 1))
def test_macro_scores_follow_their_definitions(split: Split, threshold: float) -> None:
    scores = split.at(threshold)
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(plain_macro(split, threshold))


@given(splits())
def test_best_f1_equals_the_best_of_all_thresholds(split: Split) -> None:
    threshold, scores = split.best()
    assert scores.f1 == pytest.approx(max(plain_macro(split, cut)[2] for cut in every_cut(split)), abs=1e-12)
    assert 0 <= threshold < 1


@given(splits())
def test_scores_at_the_best_threshold_are_those_it_was_returned_with(split: Split) -> None:
    threshold, scores = split.best()
    assert split.at(threshold) == scores


@given(splits())
def test_no_higher_threshold_is_as_good_as_the_best(split: Split) -> None:
    threshold, scores = split.best()
    kept = int((split.conf > threshold).sum())
    for cut in every_cut(split):
        if cut > threshold and scores.f1 > 0 and int((split.conf > cut).sum()) < kept:
            assert split.at(cut).f1 <= scores.f1 + 1e-12


@given(splits(), st.floats(0, 1), st.floats(0, 1))
def test_raising_confidence_never_raises_recall(split: Split, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert split.at(high).recall <= split.at(low).recall


@given(splits(), st.randoms(use_true_random=False), st.floats(0, 1))
def test_the_order_of_detections_changes_nothing(split: Split, random: Any, threshold: float) -> None:
    order = list(range(len(split.conf)))
    random.shuffle(order)
    shuffled = split.reordered(order)
    assert shuffled.at(threshold) == split.at(threshold)
    assert shuffled.best() == split.best()


@given(splits(), st.floats(0, 1))
def test_scores_lie_between_0_and_1(split: Split, threshold: float) -> None:
    for scores in (split.at(threshold), split.best()[1]):
        assert all(0 <= value <= 1 for value in (scores.precision, scores.recall, scores.f1))


def test_a_threshold_drops_the_score_that_equals_it() -> None:
    split = Split(np.array([True]), np.array([0.5]), np.array([0]), np.array([0]))
    assert split.at(0.5).recall == 0
    assert split.at(np.nextafter(0.5, 0)).recall == 1


def test_detections_of_equal_score_stay_or_go_together() -> None:
    split = Split(np.array([True, False, False]), np.full(3, 0.5), np.zeros(3, int), np.zeros(1, int))
    assert split.best() == (0.25, Scores(precision=1 / 3, recall=1, f1=0.5))


def test_the_best_threshold_lies_midway_between_the_lowest_kept_score_and_the_next() -> None:
    split = Split(np.array([True, False]), np.array([0.8, 0.4]), np.zeros(2, int), np.zeros(1, int))
    threshold, scores = split.best()
    assert threshold == pytest.approx(0.6)
    assert scores == Scores(1, 1, 1)


def test_neighbouring_floats_are_parted() -> None:
    low = np.nextafter(0.5, 0)
    split = Split(np.array([False, True]), np.array([low, 0.5]), np.zeros(2, int), np.zeros(1, int))
    assert split.best() == (low, Scores(1, 1, 1))


def test_only_the_first_column_of_a_wide_tp_counts() -> None:
    wide = np.zeros((2, 10), dtype=bool)
    wide[0, 0] = wide[1, 9] = True
    split = Split(wide, np.array([0.9, 0.8]), np.array([0, 1]), np.array([0, 1]))
    assert split.at(0) == Scores(0.5, 0.5, 0.5)


def test_a_class_without_ground_truth_changes_nothing() -> None:
    split = Split(np.array([True, False]), np.array([0.5, 0.9]), np.array([0, 7]), np.array([0]))
    assert split.at(0) == Scores(1, 1, 1)
    assert split.best() == (0.25, Scores(1, 1, 1))


def test_without_detections_or_ground_truth_all_scores_are_0_at_threshold_0() -> None:
    nothing = np.array([])
    boxes = Split(nothing, nothing, nothing, np.array([0, 1]))
    detections = Split(np.array([False]), np.array([0.9]), np.array([0]), nothing)
    for split in (boxes, detections):
        assert split.best() == (0.0, Scores(0, 0, 0))
        assert split.at(0.3) == Scores(0, 0, 0)


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.5])
def test_a_score_that_is_no_number_in_0_to_1_is_an_error(score: float) -> None:
    split = Split(np.array([True, True]), np.array([0.5, score]), np.zeros(2, int), np.zeros(1, int))
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        split.best()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        split.at(0.1)


def test_lengths_that_differ_are_an_error() -> None:
    with pytest.raises(ValueError, match="one row a detection"):
        macro_at(np.array([True]), np.array([0.5, 0.6]), np.zeros(2, int), np.zeros(1, int), 0.1)
