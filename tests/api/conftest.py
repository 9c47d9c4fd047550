"""One small study, run from Python, for all tests of the API."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import hpo
from tests.conftest import SMALLEST_MODEL


def state() -> dict[str, Any]:
    """Return the state that a run must not change."""
    loggers = ["", "mlflow", "urllib3.connectionpool", "optuna", "ultralytics"]
    return {
        "environ": dict(os.environ),
        "handlers": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)],
        "levels": {name: logging.getLogger(name).level for name in loggers},
        "records": logging.getLogRecordFactory(),
    }


def mapping(name: str, data: Path, **train: Any) -> dict[str, Any]:
    """Return a study as a mapping: two trials of two epochs."""
    return {
        "name": name,
        "data": data,
        "model": str(SMALLEST_MODEL),
        "train": {"epochs": 2, "imgsz": 64, "batch": 8, "optimizer": "AdamW", "warmup_epochs": 0, **train},
        "space": {"lr0": {"low": 1e-4, "high": 3e-2, "log": True}},
        "objective": "map50",
        "plots": "none",
        "search": {"seed": 3, "sampler": "random", "pruner": "none"},
        "budget": {"trials": 4},
    }


@dataclass
class Ran:
    """The small study after its end."""

    home: Path
    before: dict[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    told: list[hpo.Trial] = field(default_factory=list)


def at_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Put all written files below ``home``."""
    patch.setenv("HPO_HOME", str(home))
    for name in ("HPO_STORAGE", "MLFLOW_TRACKING_URI"):
        patch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def ran(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = tmp_path_factory.mktemp("api") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, home)
        ran = Ran(home, state())
        hpo.run(mapping("mine", tiny), {"budget.trials": 2}, on_trial=ran.told.append)
        ran.after = state()
    return ran


@pytest.fixture
def mine(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> hpo.Study:
    at_home(monkeypatch, ran.home)
    return hpo.load("mine")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a fresh folder for all written files, which is also the working folder."""
    at_home(monkeypatch, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"
