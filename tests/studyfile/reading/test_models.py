"""A study names a detector: a file, or a model of Ultralytics."""

from __future__ import annotations

import pytest

from hpo.studyfile.loader import load_file
from tests.studyfile.conftest import Studio


def test_a_model_name_stays_as_written_unless_a_file_is_found(studio: Studio) -> None:
    assert studio.load("model=yolov8n.pt").model == "yolov8n.pt"
    (studio.folder / "mine.yaml").write_text("nc: 1")
    assert studio.load("model=mine.yaml").model == str(studio.folder / "mine.yaml")
    assert studio.load("model=yolov8-w125.yaml").model.endswith("configs/models/yolov8-w125.yaml")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("models/mine.yaml", "no such file"),
        ("/models/mine.pt", "no such file"),
        ("yolov8n-cls.pt", "classification"),
        ("yolov8n-seg.yaml", "segmentation"),
        ("yolov8n-pose-p6.yaml", "pose"),
        ("yolov8n-obb.pt", "oriented"),
        ("yolov8n", "yolov8n.pt or yolov8n.yaml"),
        ("yolov88n.yaml", "did you mean"),
    ],
)
def test_a_model_that_is_none_of_a_detector_is_refused(studio: Studio, model: str, message: str) -> None:
    problem = studio.problem(f"model={model}")
    assert problem.path == "model"
    assert message in problem.message


@pytest.mark.parametrize("model", ["yolov8n.yaml", "yolov8x-p2.yaml", "yolo11s.yaml", "rtdetr-l.yaml", "yolo26n.pt"])
def test_any_detection_model_of_ultralytics_is_accepted(studio: Studio, model: str) -> None:
    assert studio.load(f"model={model}").model == model


def test_a_study_file_named_like_its_model_is_not_the_model(studio: Studio) -> None:
    assert load_file(studio.write(name="yolov8n.yaml")).model == "yolov8n.yaml"
