"""A study with many finished trials, written in bulk, with the rows that real trials would have left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import Connection, insert, select

from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.search.sampling import distributions
from hpo.studyfile.planning.grid import Point
from tests.study.support import value_of

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def fill(storage: Storage, study: StudyRow, count: int, reports: int) -> None:
    """Add ``count`` complete trials with ``reports`` epochs each."""
    if count:
        storage.write(lambda connection: _fill(connection, study, count, reports))


def _fill(connection: Connection, study: StudyRow, count: int, reports: int) -> None:
    known = distributions(study.spec.space)
    points = [_point(number) for number in range(count)]
    trial: Any = models.TrialModel.__table__
    naive = _AT.replace(tzinfo=None)
    rows = [
        {
            "number": number,
            "study_id": study.id,
            "state": TrialState.COMPLETE,
            "datetime_start": naive,
            "datetime_complete": naive,
        }
        for number in range(count)
    ]
    connection.execute(insert(trial), rows)
    ids = list(
        connection.scalars(select(trial.c.trial_id).where(trial.c.study_id == study.id).order_by(trial.c.number))
    )
    finite: Any = models.TrialValueModel.TrialValueType.FINITE
    step: Any = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
    params, values, steps, attributes, ours, claims, epochs = [], [], [], [], [], [], []
    for number, (trial_id, point) in enumerate(zip(ids, points, strict=True)):
        value = value_of(point)
        for name, given in point.items():
            internal = known[name].to_internal_repr(given)
            text = distribution_to_json(known[name])
            params.append(
                {"trial_id": trial_id, "param_name": name, "param_value": internal, "distribution_json": text}
            )
        values.append({"trial_id": trial_id, "objective": 0, "value": value, "value_type": finite})
        attributes.append({"trial_id": trial_id, "key": "ordinal", "value_json": json.dumps(number)})
        for epoch in range(1, reports + 1):
            objective = value * epoch / reports
            steps.append(
                {
                    "trial_id": trial_id,
                    "step": epoch,
                    "intermediate_value": objective,
                    "intermediate_value_type": step,
                }
            )
            epochs.append(_epoch(study.id, number, epoch, objective))
        ours.append(_trial(study.id, number, point, value))
        claims.append(_claim(study.id, number))
    for table, found in (
        (models.TrialParamModel.__table__, params),
        (models.TrialValueModel.__table__, values),
        (models.TrialIntermediateValueModel.__table__, steps),
        (models.TrialUserAttributeModel.__table__, attributes),
        (tables.trials, ours),
        (tables.claims, claims),
        (tables.epochs, epochs),
    ):
        target: Any = table
        connection.execute(insert(target), found)


def _point(number: int) -> Point:
    return {
        "lr0": 1e-4 * 10 ** (3 * (number * 0.618 % 1)),
        "mosaic": number * 0.377 % 1,
        "batch": 4 * (1 + number % 4),
    }


def _trial(study_id: int, number: int, point: Point, value: float) -> dict[str, Any]:
    return {
        "study_id": study_id,
        "number": number,
        "ordinal": number,
        "baseline": False,
        "params": point,
        "train": {},
        "reason": "complete",
        "detail": "",
        "counts": True,
        "value": value,
        "metrics": {},
        "epochs": 10,
        "recorded_at": _AT,
    }


def _claim(study_id: int, number: int) -> dict[str, Any]:
    known = {"study_id": study_id, "ordinal": number, "number": number, "attempt": 1, "retries": 0}
    return {**known, "open": False, "claimed_at": _AT}


def _epoch(study_id: int, number: int, epoch: int, objective: float) -> dict[str, Any]:
    known = {"study_id": study_id, "number": number, "attempt": 1, "epoch": epoch, "objective": objective}
    return {**known, "metrics": {}, "seconds": 1.0, "recorded_at": _AT}
