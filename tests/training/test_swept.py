"""Trials whose post-processing is swept: real trainings, captures and sweeps."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial.messages import Answer, Progress
from hpo.trial.objective import Objective, parse
from hpo.trial.operating_point import DEFAULT, Kind, SweepPlan, SweepResult
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Metric, Reason, Scalar
from tests.conftest import Talk

F1 = Objective(Metric.F1)
PLAN = SweepPlan(ious=(0.3, 0.5, 0.7), conf=(0.05, 0.6), resamples=200)
SHORT: dict[str, Scalar] = {"epochs": 2, "close_mosaic": 0, "imgsz": 96, "lr0": 1e-3, "warmup_epochs": 0.0}
KEYS = {"map50", "map50_95", "precision", "recall", "f1"}


@pytest.fixture
def swept_request(request_for: Any, trained: Path) -> Any:
    """Requests for two epochs from weights that have learned something, swept for F1."""

    def make(train: dict[str, Scalar] | None = None, **changes: Any) -> TrialRequest:
        values: dict[str, Any] = {"model": str(trained), "objective": F1, "sweep": PLAN, **changes}
        request: TrialRequest = request_for({**SHORT, **(train or {})}, **values)
        return request

    return make


def test_a_swept_trial_ends_with_the_operating_point_of_its_model(
    launcher: ForkserverLauncher, swept_request: Any
) -> None:
    request = swept_request()
    ended = Talk(launcher.start(request)).ended
    assert (ended.reason, ended.detail) == (Reason.COMPLETE, "")
    assert ended.swept is not None
    found = SweepResult.from_dict(ended.swept)
    assert found.capture == "deploy"
    assert found.images == 24
    assert found.best.point.iou in PLAN.ious
    assert PLAN.conf[0] <= found.best.point.conf <= PLAN.conf[1]
    assert ended.value == found.value
    assert set(ended.metrics) == KEYS
    assert ended.metrics["f1"] == found.best.scores["f1"] == pytest.approx(found.in_sample)
    assert found.in_sample >= found.default_value
