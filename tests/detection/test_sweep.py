from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.detection import evidence
from hpo.detection.evidence import Bootstrap, Reference
from hpo.detection.predictions import Predictions
from hpo.detection.rating import default_for, measure
from hpo.detection.sweep import best_value, check_labels, sweep
from hpo.errors import UsageError
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import parse
from hpo.trial.operating_point import DEFAULT, Interval, OperatingPoint, SweepPlan, SweepResult
from tests.detection.scenes import Scene, make, subset

PLAN = SweepPlan(ious=(0.3, 0.5, 0.7), sigmas=(0.3, 0.6), floors=(0.001, 0.1), resamples=300)
SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.sampled_from(["f1", "f1 micro", "map50", "map50_95", "map_small", "recall at precision >= 0.3"]))
@settings(max_examples=15, deadline=None)
def test_the_best_setting_is_the_best_of_all_that_were_tried(seed: int, text: str) -> None:
    predictions, objective = make(Scene(images=6, candidates=25, seed=seed)), parse(text)
    found = sweep(predictions, replace(PLAN, kinds=SUPPRESSING), objective)
    assert found.settings == sum(math.prod(len(PLAN.axis(axis)) for axis in kind.row.axes) for kind in SUPPRESSING)
    assert {kind.best.point.kind for kind in found.by_kind} == set(SUPPRESSING)
    again = [measure(predictions, kind.best.point, objective)[1] for kind in found.by_kind]
    assert measure(predictions, found.best.point, objective)[1] == pytest.approx(found.in_sample, abs=1e-9)
    assert best_value(predictions, replace(PLAN, kinds=SUPPRESSING), objective) == pytest.approx(max(again), abs=1e-9)
    assert found.best in [kind.best for kind in found.by_kind]
    assert found.default == measure(predictions, DEFAULT, objective)[0]


def test_the_result_survives_json() -> None:
    found = sweep(make(Scene()), PLAN, parse("f1"), test=make(Scene(seed=1)))
    assert SweepResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    plan = replace(PLAN, kinds=SUPPRESSING, per_class=True, conf=(0.1, 0.1))
    assert SweepPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_a_value_is_measured_on_images_that_did_not_choose_it() -> None:
    """The scores carry no information, so any gain on the images of the choice is luck."""
    noise = make(Scene(images=30, candidates=12, labels=3, skill=0.3, seed=3))
    shuffled = np.random.default_rng(0).permutation(noise.scores).astype(np.float32)
    order = np.concatenate(
        [
            a + np.argsort(-shuffled[a:b], kind="stable")
            for a, b in zip(noise.offsets[:-1], noise.offsets[1:], strict=True)
        ]
    )
    lucky = replace(noise, scores=shuffled[order], boxes=noise.boxes[order], classes=noise.classes[order])
    found = sweep(lucky, replace(PLAN, per_class=True, kinds=(Kind.HARD,)), parse("f1"))
    assert found.value < found.in_sample - 0.005
    assert found.gain.low < found.gain.value < found.gain.high


def test_the_intervals_hold_what_the_setting_gains_on_new_images() -> None:
    """The gain on 800 new images lies in the 95% interval of almost every one of 40 small splits."""
    wide = make(Scene(images=800, candidates=25, seed=99))
    plan = replace(PLAN, kinds=(Kind.HARD,))
    objective = parse("f1")
    held = 0
    for seed in range(40):
        found = sweep(make(Scene(images=40, candidates=25, seed=seed)), plan, objective)
        gain = measure(wide, found.best.point, objective)[1] - measure(wide, DEFAULT, objective)[1]
        held += found.gain.low <= gain <= found.gain.high
    assert held >= 33  # binomial(40, 0.95): below 33 once in 500


def test_equal_settings_gain_nothing_and_the_defaults_are_recommended() -> None:
    plan = SweepPlan(kinds=(Kind.HARD,), ious=(0.7,), conf=(0.25, 0.25))
    found = sweep(make(Scene(images=10)), plan, parse("f1"))
    assert (found.gain.value, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)
    assert found.value == pytest.approx(found.in_sample)
    assert (found.recommended, found.recommended_point) == ("default", DEFAULT)


def test_a_proven_gain_is_recommended_and_a_test_split_decides() -> None:
    found = sweep(make(Scene(images=60)), PLAN, parse("f1"))
    assert found.gain.low > 0
    assert found.recommended_point == found.best.point
    doubtful = replace(found, gain=replace(found.gain, test=Interval(0.01, -0.01, 0.03)))
    assert doubtful.recommended == "default"


def test_conditions_that_only_the_best_setting_meets_recommend_it() -> None:
    found = sweep(make(Scene(images=30)), PLAN, parse("f1 at fp_per_image <= 0.5"))
    assert found.feasible
    assert not found.default_feasible
    assert found.recommended == "best"
    hopeless = sweep(make(Scene(images=30)), PLAN, parse("recall at precision >= 0.9999"))
    if not hopeless.feasible:
        assert (hopeless.value, hopeless.recommended) == (0.0, "default")


def test_one_image_says_nothing_about_others() -> None:
    found = sweep(make(Scene(images=1, seed=4)), PLAN, parse("f1"))
    assert (found.gain.low, found.gain.high) == (-1.0, 1.0)
    assert found.recommended == "default"


def test_a_head_without_nms_has_the_confidence_alone() -> None:
    predictions = replace(make(Scene()), suppressed=True)
    found = sweep(predictions, PLAN, parse("f1"))
    assert found.settings == 1
    assert (found.best.point.kind, found.best.point.iou) == (Kind.NONE, None)
    assert found.default.point == default_for(predictions) == OperatingPoint(None, 0.25, kind=Kind.NONE)


@pytest.mark.parametrize(
    ("text", "plan", "masks"),
    [
        ("precision", PLAN, "precision at recall >= 0.9"),
        ("f1 at recall[cat] >= 0.5", PLAN, "no class 'cat'"),
        ("f1 at precision >= 0.5", replace(PLAN, per_class=True), "single classes only"),
        ("recall at precision[class0] >= 0.5", replace(PLAN, per_class=True), "not with recall"),
        ("f1", replace(PLAN, kinds=(Kind.NONE,)), "heads without NMS"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(text: str, plan: SweepPlan, masks: str) -> None:
    with pytest.raises(UsageError, match=masks.replace("[", r"\[")):
        sweep(make(Scene()), plan, parse(text))


@pytest.mark.parametrize("text", ["f1", "f2 micro", "precision at recall >= 0.1", "map50", "map50_95", "map_large"])
def test_resampled_values_are_those_of_the_resampled_images(text: str) -> None:
    """A weight represents repetitions of an image: except for the order of equal scores, the AP is the same."""
    predictions, objective = make(Scene(images=12, candidates=30)), parse(text)
    other = Reference.of(predictions, DEFAULT, objective, Bootstrap(20, 0))
    plain = replace(objective, constraints=())
    for weights, value in zip(other.weights, other.drawn, strict=True):
        images = np.repeat(np.arange(12), weights)
        copies = distinct(subset(predictions, [int(image) for image in images]))
        assert measure(copies, DEFAULT, plain)[1] == pytest.approx(value, abs=0.02 if objective.is_ap else 1e-12)
    assert other.value == pytest.approx(measure(predictions, DEFAULT, plain)[1], abs=1e-9)


def distinct(predictions: Predictions) -> Predictions:
    return replace(predictions, images=tuple(f"{i}:{name}" for i, name in enumerate(predictions.images)))


def test_folds_are_even_and_every_image_is_in_one() -> None:
    fold = evidence.folds(87, 5, 0)
    assert sorted(np.bincount(fold)) == [17, 17, 17, 18, 18]
    assert sorted(evidence.folds(3, 5, 0)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("recall at recall[class1] >= 0.4", r"no image of the split val has a label of class1"),
        ("map50 at precision[class1] >= 0.4 and fp_per_image <= 3", r"precision\[class1\] >= 0.4"),
        ("map_large", r"the split val has no large object \(area from 9216 to inf px\)"),
    ],
)
def test_what_the_labels_can_not_answer_is_refused_with_the_way_out(text: str, told: str) -> None:
    whole = make(Scene(images=12))
    lacking = replace(
        whole,
        truth_classes=np.where(whole.truth_classes == 1, 0, whole.truth_classes).astype(np.int32),
        truth_areas=np.full_like(whole.truth_areas, 500),
    )
    with pytest.raises(UsageError, match=told):
        check_labels(parse(text), lacking, "val")
    check_labels(parse("f1 at recall[class0] >= 0.4"), lacking, "val")
    check_labels(parse("map_small"), lacking, "val")


def test_an_unknown_class_is_left_to_the_check_that_names_the_known_ones() -> None:
    check_labels(parse("f1 at recall[nobody] >= 0.4"), make(Scene()), "val")
