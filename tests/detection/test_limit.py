"""The limit of detections an image as an axis of the sweep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpo.detection.apply import detections
from hpo.detection.events import every
from hpo.detection.predictions import MAX_CANDIDATES, Predictions
from hpo.detection.rating import measure
from hpo.detection.sweep import best_value, sweep
from hpo.trial import wording
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import parse
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepPlan
from tests.detection.scenes import Scene, dense, make

PLAN = SweepPlan(ious=(0.3, 0.7), sigmas=(0.4,), floors=(0.001,), resamples=200)
LIMITS = (300, 1000)


@pytest.fixture(scope="module")
def crowded() -> Predictions:
    return dense()


@pytest.mark.parametrize("objective", ["f1", "map50_95"])
def test_more_detections_are_chosen_and_proven_on_dense_images_without_an_option(
    crowded: Predictions, objective: str
) -> None:
    found = sweep(crowded, replace(PLAN, kinds=(Kind.HARD, Kind.AGNOSTIC)), parse(objective))
    assert found.best.point.max_det == 1000
    assert found.recommended == "best"
    assert found.gain.proven
    assert found.default.point == DEFAULT
    assert found.settings == 2 * 2 * 2


@pytest.mark.parametrize(("most", "limits"), [(0, (300,)), (100, (300,)), (101, LIMITS), (400, LIMITS)])
def test_the_labels_of_the_densest_image_decide_what_is_tried(most: int, limits: tuple[int, ...]) -> None:
    assert SweepPlan().for_labels(most).max_dets == limits
    assert SweepPlan(max_dets=(50,)).for_labels(most).max_dets == (50,)


def test_a_single_dense_image_is_enough_to_try_more(crowded: Predictions) -> None:
    plan = replace(PLAN, kinds=(Kind.HARD,))
    assert sweep(dense(objects=100, images=3), plan, parse("f1")).settings == 2
    assert sweep(dense(objects=101, images=3), plan, parse("f1")).settings == 4
    assert sweep(crowded, replace(plan, max_dets=(300,)), parse("f1")).best.point.max_det == 300


@pytest.mark.parametrize("kind", Kind)
def test_two_limits_at_once_are_each_alone(crowded: Predictions, kind: Kind) -> None:
    """Suppression runs once for both; what each keeps is what a suppression of its own would keep."""
    together = list(every(crowded, replace(PLAN, max_dets=LIMITS), kind))
    both = {point: events.at(bit) for events in together for bit, point in enumerate(events.settings)}
    alone = [events for limit in LIMITS for events in every(crowded, replace(PLAN, max_dets=(limit,)), kind)]
    each = {point: events.at(bit) for events in alone for bit, point in enumerate(events.settings)}
    assert both.keys() == each.keys()
    assert all(
        np.array_equal(mine, own)
        for point, picked in both.items()
        for mine, own in zip(vars(picked).values(), vars(each[point]).values(), strict=True)
    )
    assert {point.max_det for point in both} == set(LIMITS)


@pytest.mark.parametrize("limit", [7, *LIMITS])
def test_a_limit_cuts_where_that_of_ultralytics_does(limit: int) -> None:
    import torch
    from ultralytics.utils.nms import non_max_suppression

    crowded = dense(images=2)
    found = detections(crowded, OperatingPoint(0.7, 0.001, limit))
    for image, own in enumerate(found):
        rows = slice(*crowded.offsets[image : image + 2])
        boxes, of_class = crowded.boxes[rows], np.zeros((rows.stop - rows.start, 2), np.float32)
        of_class[np.arange(len(boxes)), crowded.classes[rows]] = crowded.scores[rows]
        centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2], of_class], 1)
        (theirs,) = non_max_suppression(torch.from_numpy(centred.T[None]), 0.001, 0.7, max_det=limit)
        assert own.scores.tolist() == theirs[:, 4].tolist()
        assert own.classes.tolist() == theirs[:, 5].tolist()


@pytest.mark.parametrize("text", ["f1", "f1 micro", "map50", "map_small", "recall at precision >= 0.3"])
def test_what_is_found_over_limits_is_the_best_of_each_alone(text: str) -> None:
    predictions, objective = make(Scene(images=6, candidates=60, labels=30, seed=4)), parse(text)
    plan = replace(PLAN, kinds=SUPPRESSING, max_dets=(5, 20, 1000))
    each = [best_value(predictions, replace(plan, max_dets=(limit,)), objective) for limit in plan.max_dets]
    assert best_value(predictions, plan, objective) == max(each)


def test_of_limits_that_cut_nothing_the_lowest_is_chosen() -> None:
    predictions = make(Scene(images=6, candidates=25))
    found = sweep(predictions, replace(PLAN, max_dets=LIMITS), parse("f1"))
    once = sweep(predictions, replace(PLAN, max_dets=(300,)), parse("f1"))
    assert replace(found, seconds=0, settings=0) == replace(once, seconds=0, settings=0)


@pytest.mark.parametrize(
    "point",
    [
        OperatingPoint(0.7, 0.25, 300),
        OperatingPoint(0.7, 0.9, 300),
        OperatingPoint(0.7, 0.2, 150, per_class_conf=(0.8, 0.2)),
        OperatingPoint(0.7, 0.25, 1000),
        OperatingPoint(None, 0.1, 300, Kind.SOFT, sigma=0.4),
    ],
)
def test_images_that_a_limit_cuts_are_counted(crowded: Predictions, point: OperatingPoint) -> None:
    rated, _ = measure(crowded, point, parse("f1"))
    cut, whole = (detections(crowded, each) for each in (point, replace(point, max_det=MAX_CANDIDATES)))
    fewer = [len(some.scores) < len(every_one.scores) for some, every_one in zip(cut, whole, strict=True)]
    assert rated.images_cut == sum(fewer)
    assert rated.images_beyond == (len(crowded) if point.max_det < 400 else 0)


def test_a_limit_that_cuts_is_said_with_the_number_of_images(crowded: Predictions) -> None:
    said = wording.gain(sweep(crowded, replace(PLAN, kinds=(Kind.HARD,)), parse("f1")))
    assert "max_det 300 of the defaults cuts the detections of 12 of 12 images (12 have more labels than that)" in said
    assert "of the best setting" not in said
    assert "max_det" not in wording.gain(sweep(make(Scene(images=6)), PLAN, parse("f1")))
