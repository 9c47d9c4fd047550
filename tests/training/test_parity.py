"""Detections, true positives and metrics from captured predictions equal those of ``model.val`` and ``model.predict``.

Both sides run without the time limit of Ultralytics' NMS (``patches.apply``), which drops images on a busy machine.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.detection.apply import detections
from hpo.detection.rating import measure
from hpo.studyfile.text.ultralytics_yaml import predict_arguments
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from hpo.trial.vocabulary import Metric
from tests.training.parity import (
    captured,
    check_predict,
    check_val,
    counted,
    predicted,
)
from tests.training.support import Subject, made_up, spread, untrained

POINTS = [
    *(
        OperatingPoint(iou, conf, 300, kind)
        for iou, conf, kind in itertools.product((0.3, 0.5, 0.7, 0.85), (0.001, 0.1, 0.25), (Kind.HARD, Kind.AGNOSTIC))
    ),
    OperatingPoint(0.7, 0.001, 5),
    OperatingPoint(0.5, 0.05, 1),
    OperatingPoint(0.45, 0.001, 20, Kind.AGNOSTIC),
]
ONE_LABEL = [POINTS[0], POINTS[3], POINTS[12], POINTS[17], POINTS[-1]]
FEW = [POINTS[0], POINTS[9], POINTS[16], POINTS[21], POINTS[-1]]
PREDICT_POINTS = [
    DEFAULT,
    *(
        OperatingPoint(iou, conf, max_det, kind)
        for iou, conf, max_det, kind in (
            (0.7, 0.05, 300, Kind.HARD),
            (0.45, 0.1, 300, Kind.HARD),
            (0.3, 0.4, 300, Kind.HARD),
            (0.9, 0.01, 300, Kind.HARD),
            (0.6, 0.2, 3, Kind.HARD),
            (0.2, 0.001, 300, Kind.HARD),
            (0.7, 0.25, 300, Kind.AGNOSTIC),
            (0.5, 0.05, 300, Kind.AGNOSTIC),
            (0.3, 0.3, 300, Kind.AGNOSTIC),
            (0.45, 0.01, 10, Kind.AGNOSTIC),
        )
    ),
]
assert len(POINTS) + len(ONE_LABEL) >= 30
assert len(PREDICT_POINTS) >= 10


LONG = pytest.mark.long
SOME_SUBJECTS = ["mixed_digits", pytest.param("cells", marks=LONG), pytest.param("mixed_cells", marks=LONG)]


@pytest.mark.parametrize("subject", ["digits"], indirect=True)
@pytest.mark.parametrize("points", [pytest.param(POINTS[1::4], id="some"), pytest.param(POINTS, id="all", marks=LONG)])
def test_val_at_every_point_is_that_of_model_val(
    subject: Subject, points: list[OperatingPoint], tmp_path: Path
) -> None:
    predictions = captured(subject, "val")
    for point in points:
        check_val(subject, point, tmp_path, predictions)


@pytest.mark.parametrize("subject", ["digits"], indirect=True)
def test_val_with_one_label_a_box_is_that_of_model_val(subject: Subject, tmp_path: Path) -> None:
    predictions = captured(subject, "val", multi_label=False)
    for point in ONE_LABEL:
        check_val(subject, point, tmp_path, predictions, multi_label=False)


@pytest.mark.parametrize("subject", SOME_SUBJECTS, indirect=True)
def test_val_is_that_of_model_val_on_other_models_and_shapes(subject: Subject, tmp_path: Path) -> None:
    predictions = captured(subject, "val")
    for point in FEW[::2]:
        check_val(subject, point, tmp_path, predictions)


@pytest.mark.parametrize(("classes", "used"), [(1, [0]), (80, [3, 41, 79]), (5, [1, 2])])
@pytest.mark.usefixtures("ultralytics")
def test_val_is_that_of_model_val_with_one_class_with_80_and_with_unused_ones(
    classes: int, used: list[int], tmp_path: Path
) -> None:
    """Return the random scores of an untrained model: thousands of candidates per image, high class indices, many
    overlaps.
    """
    names = [f"class{index}" for index in range(classes)]
    weights = untrained(tmp_path / "weights.pt", names, score=0.3 if classes < 80 else 0.002)
    subject = Subject(weights, made_up(tmp_path / "data", names, used, images=8), 96)
    predictions = captured(subject, "val")
    assert len(np.unique(predictions.scores)) > 1000
    for point in FEW:
        check_val(subject, point, tmp_path, predictions)


@pytest.mark.usefixtures("ultralytics")
def test_val_is_that_of_model_val_where_all_classes_are_one(tmp_path: Path) -> None:
    weights = untrained(tmp_path / "weights.pt", ["item"], single_cls=True)
    subject = Subject(weights, made_up(tmp_path / "data", ["a", "b", "c"], [0, 1, 2]), 96)
    predictions = captured(subject, "val")
    assert set(predictions.truth_classes) == {0}
    for point in FEW:
        check_val(subject, point, tmp_path, predictions)


@pytest.mark.parametrize(
    ("subject", "points"),
    [
        pytest.param("digits", PREDICT_POINTS[::3], id="digits"),
        pytest.param("mixed_digits", PREDICT_POINTS[::3], id="mixed_digits"),
        pytest.param("digits", PREDICT_POINTS, id="digits-all", marks=LONG),
        pytest.param("mixed_digits", PREDICT_POINTS, id="mixed_digits-all", marks=LONG),
        pytest.param("mixed_cells", PREDICT_POINTS[::4], id="mixed_cells", marks=LONG),
    ],
    indirect=["subject"],
)
def test_deploy_is_what_model_predict_sees(
    subject: Subject,
    points: list[OperatingPoint],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predictions = captured(subject, "deploy")
    listed = [line for point in points for line in check_predict(subject, point, predictions)]
    with capsys.disabled():
        for line in listed:
            print(f"\non a threshold, {request.node.name}: {line}")  # noqa: T201  (the list is a result of the test)
    assert len(listed) <= 0.02 * len(points) * len(predictions)


@pytest.mark.long
@pytest.mark.usefixtures("ultralytics")
def test_deploy_with_80_classes_is_what_model_predict_sees(tmp_path: Path) -> None:
    names = [f"class{index}" for index in range(80)]
    subject = Subject(untrained(tmp_path / "weights.pt", names), made_up(tmp_path / "data", names, [3, 79]), 96)
    predictions = captured(subject, "deploy")
    listed = [line for point in PREDICT_POINTS for line in check_predict(subject, point, predictions)]
    assert len(listed) <= 0.02 * len(PREDICT_POINTS) * len(predictions), listed


@pytest.mark.parametrize(
    "subject",
    ["mixed_digits", pytest.param("digits", marks=LONG), pytest.param("mixed_cells", marks=LONG)],
    indirect=True,
)
@pytest.mark.parametrize("point", [DEFAULT, OperatingPoint(0.4, 0.1), OperatingPoint(0.5, 0.3, 300, Kind.AGNOSTIC)])
def test_f1_under_deploy_is_that_of_counting_what_model_predict_finds(subject: Subject, point: OperatingPoint) -> None:
    scores = measure(captured(subject, "deploy"), point, Objective(Metric.F1))[0].scores
    assert [scores[name] for name in ("precision", "recall", "f1")] == pytest.approx(counted(subject, point), abs=1e-4)


@pytest.fixture
def free(tmp_path: Path, ultralytics: None) -> Subject:
    """Return a detector of random numbers; its head has a branch without suppression, with a small max_det."""
    from ultralytics import YOLO

    data = made_up(tmp_path / "data", ["a", "b"], [0, 1])
    model = YOLO("yolov10n.yaml")
    model.model.names = {0: "a", 1: "b"}
    head = model.model.model[-1]
    for last in [*head.cv3, *head.one2one_cv3]:
        last[-1] = type(last[-1])(last[-1].in_channels, 2, 1)
        last[-1].bias.data[:] = -1.0
    head.nc, head.no, head.max_det = 2, 2 + head.reg_max * 4, 7
    model.model.yaml["nc"] = 2
    spread(model.model)
    model.save(str(tmp_path / "weights.pt"))
    return Subject(tmp_path / "weights.pt", data, 96)


FREE_POINTS = [OperatingPoint(None, conf, 300, Kind.NONE) for conf in (0.001, 0.25, 0.4)]


def test_a_head_without_suppression_is_what_model_predict_sees_without_nms(free: Subject) -> None:
    predictions = captured(free, "deploy")
    assert predictions.suppressed
    assert len(predictions.scores) > 100 * len(predictions)
    for point in [*FREE_POINTS, OperatingPoint(None, 0.01, 5, Kind.NONE)]:
        assert check_predict(free, point, predictions, nms=False) == []
        assert predict_arguments(free.weights, free.imgsz, point)["nms"] is False


def test_a_head_without_suppression_gives_as_many_detections_as_the_limit_allows(free: Subject) -> None:
    larger = replace(free, imgsz=320)
    predictions = captured(larger, "deploy")
    assert len(predictions.scores) > 1000 * len(predictions)
    for limit in (300, 1000):
        point = OperatingPoint(None, 0.001, limit, Kind.NONE)
        theirs = predicted(larger, point, nms=False)
        for name, ours in zip(predictions.images, detections(predictions, point), strict=True):
            assert len(ours.scores) == len(theirs[name]) == limit
            assert np.sort(ours.scores) == pytest.approx(np.sort(theirs[name][:, 4]), abs=1e-4)


def test_a_head_without_suppression_is_what_model_val_sees_without_nms(free: Subject, tmp_path: Path) -> None:
    predictions = captured(free, "val")
    assert predictions.suppressed
    for point in FREE_POINTS:
        check_val(free, point, tmp_path, predictions, nms=False)
