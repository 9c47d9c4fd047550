"""The files that a user takes away are read by PyYAML, which takes ``1e-05`` for text."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.errors import HpoError
from hpo.orchestration import handover
from hpo.spec.schema import StudySpec
from hpo.spec.ultralytics_yaml import write_arguments
from hpo.trial.operating_point import Gain, Kind, OperatingPoint, SweepResult
from hpo.trial.vocabulary import TrialState
from tests.orchestration.test_cleanup import row
from tests.support import swept

SPEC = StudySpec(name="cells", data="/data/cells.yaml", model="yolov8n.yaml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(min_value=0, max_value=1))
def test_every_number_is_read_as_the_number_it_was(tmp_path: Path, number: float) -> None:
    path = tmp_path / "settings.yaml"
    write_arguments(path, "title", {"lr0": number, "epochs": 3, "cos_lr": True, "optimizer": "AdamW"})
    read = yaml.safe_load(path.read_text())
    assert read == {"lr0": number, "epochs": 3, "cos_lr": True, "optimizer": "AdamW"}
    assert isinstance(read["lr0"], float)


def test_the_sampled_operating_point_is_handed_over(tmp_path: Path) -> None:
    trial = dataclasses.replace(
        row(tmp_path / "study", 4, TrialState.COMPLETE, 0.7),
        operating_point=OperatingPoint(0.55, 0.31, 100, Kind.AGNOSTIC),
        train={"lr0": 1e-05, "imgsz": 320},
    )
    files = handover.save(SPEC, trial, tmp_path / "winner")
    predict = yaml.safe_load(files.predict.read_text())
    assert (predict["iou"], predict["conf"], predict["max_det"], predict["agnostic_nms"]) == (0.55, 0.31, 100, True)
    assert predict["imgsz"] == 320
    train = yaml.safe_load(files.hyperparameters.read_text())
    assert train["lr0"] == 1e-05
    assert (train["model"], train["data"]) == ("yolov8n.yaml", "/data/cells.yaml")
    assert files.weights.read_text() == "best.pt"


@pytest.mark.parametrize(("low", "conf"), [(0.01, 0.41), (-0.01, 0.25)])
def test_what_a_sweep_found_is_handed_over_where_it_is_proven(tmp_path: Path, low: float, conf: float) -> None:
    """And Ultralytics' defaults where it is not; all that was found goes along."""
    found = swept(gain=Gain("f1", 0.03, low, 0.05))
    trial = dataclasses.replace(
        row(tmp_path / "study", 4, TrialState.COMPLETE, 0.7),
        operating_point=found.best.point,
        sweep=found,
        train={"imgsz": 320},
    )
    files = handover.save(SPEC, trial, tmp_path / "winner")
    predict = yaml.safe_load(files.predict.read_text())
    assert predict["conf"] == conf
    assert "95% interval" in files.predict.read_text()
    assert files.operating_point is not None
    assert SweepResult.from_dict(json.loads(files.operating_point.read_text())) == found


def test_weights_that_are_gone_are_an_error_that_says_why(tmp_path: Path) -> None:
    trial = row(tmp_path / "study", 0, TrialState.COMPLETE, 0.7)
    assert trial.folder is not None
    (Path(trial.folder) / "weights" / "best.pt").unlink()
    with pytest.raises(HpoError, match=r"keep\.weights"):
        handover.save(SPEC, trial, tmp_path / "winner")
    assert not (tmp_path / "winner").exists()
