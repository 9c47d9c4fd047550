"""All confidences at once give the same results as one confidence at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics.utils.metrics import ap_per_class

from hpo.detection.average_precision import average_precisions
from hpo.detection.curves import Labels, curve
from hpo.detection.events import Events, every, falling, single
from hpo.detection.evidence import areas_of
from hpo.detection.metrics import macro_at
from hpo.detection.predictions import Predictions
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, SweepPlan
from hpo.trial.vocabulary import Metric
from tests.detection import reference
from tests.detection.scenes import Scene, make, subset

SIZED = [metric for metric in Metric if metric.row.areas is not None]
SEEDS = st.integers(0, 2**32 - 1)
PLAN = SweepPlan()


def unpacked(events: Events, bit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, classes and (n, 10) true positives of the detections that one setting keeps."""
    kept = np.flatnonzero((events.masks >> np.uint64(bit)) & np.uint64(1))
    rows = events.rows[kept]
    hits = np.where(rows[:, None] >= 0, (events.hits[rows] >> np.uint64(bit)) & np.uint64(1), 0) == 1
    return events.scores[kept], events.classes[kept], hits


@given(SEEDS, st.sampled_from([0, 12, 24, 32]), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_each_row_is_the_score_of_its_prefix(seed: int, bit: int, classes: int) -> None:
    predictions = make(Scene(images=4, candidates=30, classes=classes, seed=seed))
    events, labels = next(every(predictions, PLAN, Kind.HARD)), Labels.of(predictions)
    rows = curve(events.at(bit), labels)
    scores, own, hits = unpacked(events, bit)
    for k in range(0, len(rows), max(1, len(rows) // 7)):
        at = macro_at(hits, scores, own, predictions.truth_classes, rows.next_lower[k] if k + 1 < len(rows) else 0.0)
        assert (rows.precision[k], rows.recall[k], rows.f[k]) == pytest.approx(
            (at.precision, at.recall, at.f1), abs=1e-12
        )
        prefix = scores >= rows.scores[k]
        assert rows.found[k] == prefix.sum()
        assert rows.hits[k] == hits[prefix, 0].sum()
        if labels.counts.sum():
            area = ap_per_class(hits[prefix], scores[prefix], own[prefix], predictions.truth_classes)[5]
            assert (rows.map50[k], rows.map50_95[k]) == pytest.approx((area[:, 0].mean(), area.mean()), abs=1e-12)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_a_higher_confidence_never_raises_recall_and_truncation_never_raises_ap(seed: int) -> None:
    predictions = make(Scene(images=4, seed=seed))
    rows = curve(next(every(predictions, PLAN, Kind.HARD)).at(20), Labels.of(predictions))
    for values in (rows.recall, rows.map50, rows.map50_95):
        assert (np.diff(values) >= -1e-12).all()


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 30))
@settings(deadline=None)
def test_average_precision_of_one_class_is_the_interpolated_one(hits: list[bool], spare: int) -> None:
    labels = sum(hits) + spare
    n = len(hits)
    events = Events(
        settings=(DEFAULT,),
        scores=np.linspace(0.9, 0.1, n).astype(np.float32),
        classes=np.zeros(n, np.int32),
        images=np.zeros(n, np.int32),
        masks=np.ones(n, np.uint64),
        rows=np.where(hits, np.cumsum(hits) - 1, -1).astype(np.int32),
        hits=np.ones((sum(hits), 10), np.uint64),
        ignored=np.zeros((sum(hits), 10), np.uint64),
    )
    found, _ = average_precisions(events.at(0), np.ones(1, np.int64), np.array([labels]))
    assert found[0] == pytest.approx(np.full(10, reference.average_precision(np.array(hits), labels)), abs=1e-12)


@given(SEEDS, st.sampled_from(SIZED))
@settings(max_examples=30, deadline=None)
def test_ap_by_size_leaves_out_what_coco_ignores(seed: int, metric: Metric) -> None:
    predictions = make(Scene(images=4, classes=1, candidates=30, seed=seed))
    areas = areas_of(Objective(metric))
    events = single(predictions, DEFAULT, areas=areas)
    labels = Labels.of(predictions, areas=areas)
    counted = (predictions.truth_areas >= areas[0]) & (predictions.truth_areas < areas[1])
    assert labels.counts[0] == counted.sum()
    found = average_precisions(events.at(0), np.ones(len(predictions), np.int64), labels.counts)[0][0]
    for t in range(10):
        ignored = np.where(events.rows >= 0, events.ignored[events.rows, t], 0) == 1
        hits = np.where(events.rows >= 0, events.hits[events.rows, t], 0)[~ignored] == 1
        assert found[t] == pytest.approx(reference.average_precision(hits, int(counted.sum())), abs=1e-12)


def test_detections_of_equal_score_stay_or_go_together() -> None:
    predictions = make(Scene(images=6, candidates=40))
    rounded = Predictions(**{**vars(predictions), "scores": np.round(predictions.scores, 1).clip(0.1)})
    events = next(every(rounded, PLAN, Kind.HARD))
    rows = curve(events.at(24), Labels.of(rounded))
    assert len(rows) == len(np.unique(events.scores[(events.masks >> np.uint64(24)) & np.uint64(1) == 1]))
    assert (np.diff(rows.scores) < 0).all()


@given(st.lists(st.floats(0, 1, width=32), max_size=200))
def test_falling_is_the_stable_order(scores: list[float]) -> None:
    values = np.array(scores, np.float32)
    np.testing.assert_array_equal(falling(values), np.argsort(-values, kind="stable"))


def test_an_image_left_out_is_not_counted() -> None:
    predictions = make(Scene(images=8))
    some = np.arange(8) % 2 == 0
    part = subset(predictions, [0, 2, 4, 6])
    events = next(every(predictions, PLAN, Kind.HARD))
    masked = curve(events.at(24), Labels.of(predictions, some))
    alone = curve(next(every(part, PLAN, Kind.HARD)).at(24), Labels.of(part))
    for name in ("scores", "precision", "recall", "f", "hits", "found", "map50", "map50_95"):
        np.testing.assert_allclose(getattr(masked, name), getattr(alone, name), atol=1e-12)
