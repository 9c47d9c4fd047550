"""Implementations of the kinds, checked against their rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpo.detection.apply import detections
from hpo.detection.events import single
from hpo.detection.kinds import groups
from hpo.detection.predictions import Predictions
from hpo.trial.kinds import Axis, Kind
from hpo.trial.operating_point import FLOOR, SweepPlan
from tests.detection.scenes import Scene, make

PLAN = SweepPlan(ious=(0.3, 0.6), sigmas=(0.3, 0.5, 0.7), floors=(0.001, 0.1))


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_is_tried_at_every_value_of_its_axes_and_of_no_other(kind: Kind) -> None:
    points = [
        point for settings, _ in groups(replace(PLAN, max_dets=(7,)), kind) for some in settings for point in some
    ]
    expected = 1
    for axis in kind.row.axes:
        expected *= len(PLAN.axis(axis))
        assert {getattr(point, axis) for point in points} == set(PLAN.axis(axis))
    assert len(points) == len(set(points)) == expected
    for axis, unused in ((Axis.IOU, None), (Axis.SIGMA, None), (Axis.FLOOR, FLOOR)):
        assert axis in kind.row.axes or {getattr(point, axis) for point in points} == {unused}
    assert {(point.kind, point.max_det) for point in points} == {(kind, 7)}


@pytest.mark.parametrize("kind", Kind)
def test_what_a_setting_detects_is_what_it_was_rated_by(kind: Kind) -> None:
    predictions = make(Scene())
    for settings, _ in groups(replace(PLAN, max_dets=(7,)), kind):
        for point in settings[0]:
            found = detections(predictions, point)
            assert sum(len(image.scores) for image in found) == len(single(predictions, point))
            assert all(len(image.scores) <= 7 for image in found)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.row.by_class])
def test_classes_leave_each_other_alone_where_the_row_says_so(kind: Kind) -> None:
    """The detections of a class do not change if the candidates of the other classes are missing."""
    whole = make(Scene())
    for settings, _ in groups(replace(PLAN, max_dets=(10_000,)), kind):
        point = settings[0][0]
        alone = detections(_of_class(whole, 0), point)
        for image, own in zip(detections(whole, point), alone, strict=True):
            assert image.scores[image.classes == 0].tolist() == own.scores.tolist()


def _of_class(predictions: Predictions, cls: int) -> Predictions:
    own = predictions.classes == cls
    kept = [own[:end].sum() for end in predictions.offsets]
    return replace(
        predictions,
        boxes=predictions.boxes[own],
        scores=predictions.scores[own],
        classes=predictions.classes[own],
        offsets=np.asarray(kept, np.int64),
    )
