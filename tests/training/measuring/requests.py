"""Requests for short trials that are swept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.trial.objective import Objective
from hpo.trial.operating_point import SweepPlan
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Metric, Scalar
from tests.conftest import Requests

F1 = Objective(Metric.F1)
PLAN = SweepPlan(ious=(0.3, 0.5, 0.7), conf=(0.05, 0.6), resamples=200)
SHORT: dict[str, Scalar] = {"epochs": 2, "close_mosaic": 0, "imgsz": 96, "lr0": 1e-3, "warmup_epochs": 0.0}
KEYS = {"map50", "map50_95", "precision", "recall", "f1"}


Maker = Callable[..., TrialRequest]


def swept_from(requests: Requests, weights: Path) -> Maker:
    """Return a factory of requests for two epochs from trained weights, swept for F1."""

    def make(train: dict[str, Scalar] | None = None, **changes: Any) -> TrialRequest:
        values: dict[str, Any] = {"model": str(weights), "objective": F1, "sweep": PLAN, **changes}
        return requests({**SHORT, **(train or {})}, **values)

    return make
