"""Limits that a space sets for names of the post-processing when they are swept."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from hpo.study.records import Facts
from hpo.studyfile.checks import rules
from hpo.studyfile.planning.sweep import sweep_plan
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import DEFAULT_IOUS, SweepPlan
from tests.studyfile.conftest import Studio

F1 = "objective=f1"


def _plan(studio: Studio, *overrides: str) -> SweepPlan:
    return sweep_plan(studio.load(F1, "postprocess=swept", *overrides))


def test_what_the_space_does_not_name_is_not_bounded(studio: Studio) -> None:
    assert _plan(studio) == SweepPlan(max_dets=(300,))
    assert _plan(studio, "space.conf=[0.2, 0.4]").ious == DEFAULT_IOUS
    assert _plan(studio, "space.iou=[0.4, 0.7]").conf == SweepPlan().conf


def test_dense_images_are_swept_at_more_detections_unless_the_space_names_the_limit(studio: Studio) -> None:
    spec = studio.load(F1, "postprocess=swept")
    assert sweep_plan(spec, 100).max_dets == (300,)
    assert sweep_plan(spec, 101).max_dets == (300, 1000)
    assert sweep_plan(studio.load(F1, "postprocess=swept", "space.max_det=50"), 101).max_dets == (50,)


def test_a_study_of_before_labels_were_counted_keeps_its_one_limit(studio: Studio) -> None:
    splits = {"train": {"images": 9}, "val": {"images": 3, "boxes": 1200}}
    old = Facts.from_dict({"model_yaml": None, "dataset": {"splits": splits}, "versions": {}})
    new = replace(old, dataset={"splits": {**splits, "val": {**splits["val"], "most": 400}}})
    spec = studio.load(F1, "postprocess=swept")
    assert sweep_plan(spec, old.most_labels).max_dets == (300,)
    assert sweep_plan(spec, new.most_labels).max_dets == (300, 1000)


def test_a_range_of_iou_is_33_thresholds_from_bound_to_bound(studio: Studio) -> None:
    ious = _plan(studio, "space.iou=[0.4, 0.7]").ious
    assert (len(ious), ious[0], ious[-1]) == (33, 0.4, 0.7)
    assert all(iou == round(iou, 3) for iou in ious)
    assert list(ious) == sorted(set(ious))
    steps = [after - before for before, after in itertools.pairwise(ious)]
    assert max(steps) - min(steps) <= 0.0011


@pytest.mark.parametrize("iou", ["[0.4004, 0.7003]", "[0.5, 0.504]", "{low: 0.1, high: 0.9, log: true}"])
def test_no_threshold_lies_outside_its_range_or_twice_in_it(studio: Studio, iou: str) -> None:
    spec = studio.load(F1, f"space.iou={iou}")
    domain = spec.space.get("iou").domain  # type: ignore[union-attr]
    ious = sweep_plan(spec).ious
    assert (ious[0], ious[-1]) == (domain.low, domain.high)  # type: ignore[union-attr]
    assert list(ious) == sorted(set(ious))


def test_a_logarithmic_range_of_iou_is_dense_below(studio: Studio) -> None:
    ious = _plan(studio, "space.iou={low: 0.1, high: 0.9, log: true}").ious
    assert ious[16] == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(
    ("iou", "ious"),
    [
        ("{low: 0.3, high: 0.6, step: 0.1}", (0.3, 0.4, 0.5, 0.6)),
        ("{choices: [0.7, 0.45]}", (0.45, 0.7)),
        ("0.6", (0.6,)),
    ],
)
def test_a_step_choices_and_a_fixed_iou_are_as_they_are(studio: Studio, iou: str, ious: tuple[float, ...]) -> None:
    assert _plan(studio, f"space.iou={iou}").ious == ious


@pytest.mark.parametrize(
    ("conf", "bounds"), [("[0.1, 0.5]", (0.1, 0.5)), ("0.3", (0.3, 0.3)), ("[0, 0.5]", (0.001, 0.5)), ("1", (1.0, 1.0))]
)
def test_conf_bounds_the_confidence_from_the_floor_up(studio: Studio, conf: str, bounds: tuple[float, float]) -> None:
    assert _plan(studio, f"space.conf={conf}").conf == bounds


@pytest.mark.parametrize(
    ("max_det", "max_dets"),
    [("{choices: [300, 20]}", (20, 300)), ("{low: 100, high: 300, step: 100}", (100, 200, 300)), ("50", (50,))],
)
def test_each_max_det_is_tried(studio: Studio, max_det: str, max_dets: tuple[int, ...]) -> None:
    assert _plan(studio, f"space.max_det={max_det}").max_dets == max_dets


@pytest.mark.parametrize(
    ("agnostic", "kinds"),
    [
        ("{choices: [true, false]}", (Kind.HARD, Kind.AGNOSTIC)),
        ("true", (Kind.AGNOSTIC,)),
        ("false", (Kind.HARD,)),
    ],
)
def test_agnostic_nms_is_a_kind(studio: Studio, agnostic: str, kinds: tuple[Kind, ...]) -> None:
    assert _plan(studio, f"space.agnostic_nms={agnostic}").kinds == kinds


def test_a_plan_is_the_same_after_json(studio: Studio) -> None:
    plan = _plan(studio, "space.iou=[0.4, 0.7]", "space.max_det={choices: [20, 300]}", "space.agnostic_nms=true")
    assert SweepPlan.from_dict(plan.to_dict()) == plan


def test_a_study_may_choose_kinds_and_a_confidence_a_class(studio: Studio) -> None:
    spec = replace(studio.load("objective=f1", "postprocess=swept"), kinds=(Kind.SOFT, Kind.WBF), per_class=True)
    assert rules.check(spec) == []
    plan = sweep_plan(spec)
    assert (plan.kinds, plan.per_class) == ((Kind.SOFT, Kind.WBF), True)
    usual = sweep_plan(replace(spec, kinds=None, per_class=False))
    assert (usual.kinds, usual.per_class) == (SweepPlan().kinds, False)


@pytest.mark.parametrize(
    ("words", "chosen", "path", "said"),
    [
        (("postprocess=none",), {"kinds": (Kind.SOFT,)}, "postprocess.kinds", "write `mode: swept`"),
        (("postprocess=none",), {"per_class": True}, "postprocess.per_class", "write `mode: swept`"),
        (("space.agnostic_nms=true",), {"kinds": (Kind.SOFT,)}, "space.agnostic_nms", "drop one of them"),
        ((), {"kinds": (Kind.NONE,)}, "postprocess.kinds", "name some of hard, agnostic"),
        ((), {"kinds": (Kind.AGNOSTIC,), "per_class": True}, "postprocess.per_class", "hard, diou, soft"),
        (("objective=f1 at precision >= 0.9",), {"per_class": True}, "postprocess.per_class", "single classes"),
        (("objective=recall at precision[a] >= 0.9",), {"per_class": True}, "postprocess.per_class", "not with recall"),
    ],
)
def test_kinds_that_no_sweep_could_try_are_refused_with_the_way_out(
    studio: Studio, words: tuple[str, ...], chosen: dict[str, Any], path: str, said: str
) -> None:
    spec = replace(studio.load("objective=f1", "postprocess=swept", *words), **chosen)
    (found,) = rules.check(spec)
    assert found.path == path
    assert said in found.message
