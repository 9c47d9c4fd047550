"""PyYAML, which reads ``1e-05`` as text, can read the files that a user takes away."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.errors import HpoError
from hpo.orchestration import handover
from hpo.study.records import Facts, Identity, StudyRow, TrialRow
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.text.ultralytics_yaml import write_arguments
from hpo.trial.handed_over import point_of
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import Gain, OperatingPoint, SweepResult
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason, TrialState
from tests.support import swept

SPEC = StudySpec(name="cells", data="/data/cells.yaml", model="yolov8n.yaml")
FACTS = Facts("nc: 3\n", {}, {})
STUDY = StudyRow(1, "u", "cells", SPEC, "5" * 64, Identity("d" * 64, "e" * 64), FACTS, datetime.now(UTC), None)


def complete(study_folder: Path, number: int) -> TrialRow:
    """Make a trial with weights on this machine."""
    paths = AttemptPaths.of(study_folder, number, 1)
    paths.best.parent.mkdir(parents=True)
    paths.best.write_text("best.pt")
    return TrialRow(
        number=number,
        ordinal=number,
        state=TrialState.COMPLETE,
        counts=True,
        baseline=False,
        value=0.7,
        params={},
        metrics={},
        reason=Reason.COMPLETE,
        detail="",
        epochs=3,
        worker=None,
        started=None,
        finished=None,
        duration_s=None,
        mlflow_run_id=None,
        operating_point=None,
        train={},
        folder=str(paths.folder),
    )


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
        complete(tmp_path / "study", 4),
        operating_point=OperatingPoint(0.55, 0.31, 100, Kind.AGNOSTIC),
        train={"lr0": 1e-05, "imgsz": 320},
    )
    files = handover.save(STUDY, trial, tmp_path / "winner")
    assert files.predict is not None
    predict = yaml.safe_load(files.predict.read_text())
    assert (predict["iou"], predict["conf"], predict["max_det"], predict["agnostic_nms"]) == (0.55, 0.31, 100, True)
    assert predict["imgsz"] == 320
    train = yaml.safe_load(files.hyperparameters.read_text())
    assert train["lr0"] == 1e-05
    assert (train["model"], train["data"]) == ("yolov8n.yaml", "/data/cells.yaml")
    assert files.weights.read_text() == "best.pt"


@pytest.mark.parametrize(("low", "conf"), [(0.01, 0.41), (-0.01, 0.25)])
def test_what_a_sweep_found_is_handed_over_where_it_is_proven(tmp_path: Path, low: float, conf: float) -> None:
    """Otherwise Ultralytics' defaults are used; all results are in the files as well."""
    found = swept(gain=Gain("f1", 0.03, low, 0.05))
    trial = dataclasses.replace(
        complete(tmp_path / "study", 4),
        operating_point=found.best.point,
        sweep=found,
        train={"imgsz": 320},
    )
    files = handover.save(STUDY, trial, tmp_path / "winner")
    assert files.predict is not None
    predict = yaml.safe_load(files.predict.read_text())
    assert predict["conf"] == conf
    assert "95% interval" in files.predict.read_text()
    assert files.operating_point is not None
    assert SweepResult.from_dict(json.loads(files.operating_point.read_text())) == found


@pytest.mark.parametrize("swept_too", [True, False])
def test_a_setting_that_yolo_predict_cannot_do_is_handed_over_for_deploy_alone(tmp_path: Path, swept_too: bool) -> None:
    """A predict.yaml of a former winner has another setting, so it is removed as well."""
    point = OperatingPoint(None, 0.31, kind=Kind.SOFT, sigma=0.4)
    found = swept(point, gain=Gain("f1", 0.03, 0.01, 0.05))
    trial = dataclasses.replace(
        complete(tmp_path / "study", 4), operating_point=point, sweep=found if swept_too else None, train={"imgsz": 320}
    )
    (tmp_path / "winner").mkdir()
    (tmp_path / "winner" / "predict.yaml").touch()
    files = handover.save(STUDY, trial, tmp_path / "winner")
    assert files.predict is None
    assert not (tmp_path / "winner" / "predict.yaml").exists()
    assert files.operating_point is not None
    assert point_of(json.loads(files.operating_point.read_text())) == (point, 320)


def test_weights_that_are_gone_are_an_error_that_says_why(tmp_path: Path) -> None:
    trial = complete(tmp_path / "study", 0)
    assert trial.folder is not None
    (Path(trial.folder) / "weights" / "best.pt").unlink()
    with pytest.raises(HpoError, match=r"keep\.weights"):
        handover.save(STUDY, trial, tmp_path / "winner")
    assert not (tmp_path / "winner").exists()


def test_files_that_have_moved_are_named_where_they_are(tmp_path: Path) -> None:
    spec = dataclasses.replace(SPEC, model="/gone/cells.pt")
    study = dataclasses.replace(STUDY, spec=spec, facts=Facts(None, {}, {}))
    trial = dataclasses.replace(
        complete(tmp_path / "study", 4), train={"imgsz": 320, "distill_model": "/gone/teacher.pt"}
    )
    places = {"data": tmp_path / "set" / "c.yaml", "model": tmp_path / "cells.pt", "distill_model": tmp_path / "t.pt"}
    named = yaml.safe_load(handover.save(study, trial, tmp_path / "winner", places).hyperparameters.read_text())
    assert {key: named[key] for key in places} == {key: str(path) for key, path in places.items()}


def test_a_model_yaml_that_is_gone_is_handed_over_itself(tmp_path: Path) -> None:
    study = dataclasses.replace(STUDY, spec=dataclasses.replace(SPEC, model="/gone/yolov8s.yaml"))
    files = handover.save(study, complete(tmp_path / "study", 4), tmp_path / "winner")
    model = yaml.safe_load(files.hyperparameters.read_text())["model"]
    assert (Path(model).name, Path(model).read_text()) == ("yolov8s.yaml", "nc: 3\n")
