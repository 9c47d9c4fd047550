"""The best threshold equals the best of all thresholds, tried one at a time by another method."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.detection import evidence
from hpo.detection.choice import Choice, Chooser, threshold
from hpo.detection.curves import Labels
from hpo.detection.events import every
from hpo.detection.predictions import ImagePredictions, Predictions, collect
from hpo.detection.rating import measure, violated
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective, parse
from hpo.trial.operating_point import DEFAULT, FLOOR, OperatingPoint, SweepPlan
from tests.detection.scenes import Scene, make, subset

SEEDS = st.integers(0, 2**32 - 1)
IOUS = (0.3, 0.5, 0.7)
PLAN = SweepPlan(ious=IOUS)
BIT = 1
OBJECTIVES = [
    *("f1", "f1 micro", "f2", "f0.5 micro", "recall at precision >= 0.4", "precision micro at recall >= 0.5"),
    *("f1 at fp_per_image <= 2", "f2 at f1 >= 0.3", "recall at precision >= 0.3 and fp_per_image <= 4"),
    *("f1 at recall[class1] >= 0.7", "f1 at precision[class0] >= 0.5"),
]


def choose(
    predictions: Predictions, objective: Objective, conf: tuple[float, float] = (FLOOR, 1.0), *, per_class: bool = False
) -> Choice:
    events = next(every(predictions, PLAN, Kind.HARD))
    chooser = Chooser(objective, conf, predictions.names, per_class)
    return chooser.choose(events.at(BIT), events.settings[BIT], Labels.of(predictions))


def thresholds(predictions: Predictions) -> list[float]:
    """Return a threshold between each two neighbouring scores, and one below the lowest."""
    scores = np.unique(predictions.scores.astype(float))
    return [FLOOR, *((scores[1:] + scores[:-1]) / 2)]


@given(SEEDS, st.sampled_from(OBJECTIVES))
@settings(max_examples=40, deadline=None)
def test_no_threshold_is_better(seed: int, text: str) -> None:
    predictions = make(Scene(images=4, candidates=25, seed=seed))
    objective = parse(text)
    chosen = choose(predictions, objective)
    tried = [measure(predictions, OperatingPoint(0.5, conf), objective)[1] for conf in thresholds(predictions)]
    assert chosen.value == pytest.approx(max(tried), abs=1e-9)
    assert measure(predictions, chosen.point, objective)[1] == pytest.approx(chosen.value, abs=1e-9)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_where_no_threshold_meets_the_condition_the_nearest_is_taken(seed: int) -> None:
    predictions = make(Scene(images=4, candidates=25, seed=seed, skill=0.1))
    objective = parse("recall at precision >= 0.999 and recall[class0] >= 0.999")
    chosen = choose(predictions, objective)
    if not chosen.feasible:
        assert chosen.value == 0
        assert violated(predictions, chosen.point, objective)


@given(SEEDS, st.sampled_from([(0.2, 0.6), (0.05, 0.3), (0.4, 0.4)]))
@settings(max_examples=40, deadline=None)
def test_the_threshold_stays_within_its_range(seed: int, conf: tuple[float, float]) -> None:
    predictions = make(Scene(images=4, candidates=25, seed=seed))
    chosen = choose(predictions, parse("f1"), conf)
    assert conf[0] <= chosen.point.conf <= conf[1]
    inside = [conf[0], conf[1], *(t for t in thresholds(predictions) if conf[0] <= t <= conf[1])]
    tried = [measure(predictions, OperatingPoint(0.5, t), parse("f1"))[1] for t in inside]
    assert chosen.value == pytest.approx(max(tried), abs=1e-9)


@pytest.mark.parametrize("text", ["f1", "f1 micro", "f2 micro", "f0.5"])
def test_thresholds_a_class_are_the_best_of_all_combinations(text: str) -> None:
    for seed in range(3):
        predictions = make(Scene(images=3, candidates=8, classes=2, labels=3, seed=seed))
        objective = parse(text)
        chosen = choose(predictions, objective, per_class=True)
        tried = [
            measure(predictions, OperatingPoint(0.5, min(pair), per_class_conf=pair), objective)[1]
            for pair in itertools.product([*thresholds(predictions), 1.0], repeat=2)
        ]
        assert chosen.value == pytest.approx(max(tried), abs=1e-9)
        assert measure(predictions, chosen.point, objective)[1] == pytest.approx(chosen.value, abs=1e-9)


@given(SEEDS, st.sampled_from(["f1", "f1 micro"]))
@settings(max_examples=30, deadline=None)
def test_a_threshold_a_class_is_never_worse_than_one_for_all(seed: int, text: str) -> None:
    predictions = make(Scene(images=5, seed=seed))
    assert choose(predictions, parse(text), per_class=True).value >= choose(predictions, parse(text)).value - 1e-9


def test_a_floor_on_a_class_moves_its_threshold_alone() -> None:
    predictions = make(Scene(images=12, seed=5))
    free = choose(predictions, parse("f1"), per_class=True).point.per_class_conf
    bound = choose(predictions, parse("f1 at recall[class1] >= 0.95"), per_class=True).point.per_class_conf
    assert free is not None
    assert bound is not None
    assert (free[0], free[2]) == (bound[0], bound[2])
    assert free[1] > bound[1]


def test_ap_chooses_the_suppression_and_f1_the_confidence() -> None:
    predictions = make(Scene(images=8, seed=2))
    by_ap = choose(predictions, parse("map50_95"))
    assert by_ap.point.conf == choose(predictions, parse("f1")).point.conf
    rated, value = measure(predictions, by_ap.point, parse("map50_95"))
    assert by_ap.value == pytest.approx(value) == pytest.approx(rated.scores["map50_95_all"])
    assert rated.scores["map50_95"] < value


def test_a_condition_on_a_class_of_which_nothing_is_detected_is_missed() -> None:
    whole = make(Scene(images=8, seed=2))
    blind = replace(whole, classes=np.where(whole.classes == 1, 0, whole.classes).astype(np.int32))
    chosen = choose(blind, parse("f1 at recall[class1] >= 0.5"))
    assert (chosen.value, chosen.violation) == (0.0, 0.5)


def test_without_candidates_the_value_is_0() -> None:
    predictions = make(Scene(candidates=0))
    assert choose(predictions, parse("f1")).value == 0
    assert measure(predictions, DEFAULT, parse("map50_95"))[1] == 0


def test_without_labels_the_value_is_0() -> None:
    predictions = make(Scene(labels=0))
    assert choose(predictions, parse("f1")).value == 0
    assert evidence.value(evidence.at(predictions, DEFAULT, parse("map50")), predictions, parse("map50")) == 0


@given(st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_a_threshold_parts_neighbouring_scores_in_fp32(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    if low < high:
        cut = threshold(low, high, (0.0, 1.0))
        assert np.float32(low) <= np.float32(cut) < np.float32(high)


def silent(predictions: Predictions, cls: int, *, labels: bool = True) -> Predictions:
    """Take a class out of what is detected; without ``labels`` out of the truth, too: other images lack it."""
    images = [subset(predictions, [index]) for index in range(len(predictions))]
    return collect([_without(image, cls, labels=labels) for image in images], predictions.names, predictions.capture)


def _without(image: Predictions, cls: int, *, labels: bool) -> ImagePredictions:
    found, true = image.classes != cls, (image.truth_classes != cls) | labels
    return ImagePredictions(
        image.images[0],
        image.boxes[found],
        image.scores[found],
        image.classes[found],
        tuple(image.frames[0]),
        image.truth_boxes[true],
        image.truth_classes[true],
        image.truth_areas[true],
    )


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("condition", ["recall[class2] >= 0.3", "precision[class2] >= 0.6", "f1[class2] >= 0.01"])
def test_a_class_with_labels_and_no_detection_has_rates_of_0(condition: str, per_class: bool) -> None:
    objective = parse(f"f1 at {condition}")
    predictions = silent(make(Scene(images=6, seed=4)), 2)
    found = choose(predictions, objective, per_class=per_class)
    assert found.value == 0
    assert found.violation == pytest.approx(objective.constraints[0].bound)
    assert violated(predictions, found.point, objective) == [f"{condition} (0.000)"]


def test_where_nothing_is_detected_a_condition_is_missed_by_its_bound_and_no_false_positive_is_found() -> None:
    everything = make(Scene(images=6, seed=4))
    predictions = silent(silent(silent(everything, 0), 1), 2)
    found = choose(predictions, parse("f1 at recall >= 0.4 and recall[class1] >= 0.2 and fp_per_image <= 1"))
    assert found.value == 0
    assert found.violation == pytest.approx(0.6)
    low = choose(everything, parse("f1 at recall >= 0.4 and fp_per_image <= 1"), (0.9995, 1.0))
    assert low.value == 0
    assert low.violation == pytest.approx(0.4)


@pytest.mark.parametrize("per_class", [False, True])
def test_images_without_labels_of_a_class_are_not_asked_a_condition_on_it(per_class: bool) -> None:
    predictions, asked = silent(make(Scene(images=6, seed=4)), 1, labels=False), parse("f1 at recall[class1] >= 0.9")
    found = choose(predictions, asked, per_class=per_class)
    assert found == choose(predictions, parse("f1"), per_class=per_class)
    assert found.feasible
    assert not violated(predictions, found.point, asked)
