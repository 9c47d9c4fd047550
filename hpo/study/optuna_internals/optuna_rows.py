"""Writes to Optuna's rows in one transaction with ours, so that the claim's token guards them.

Optuna's own calls commit by themselves: a worker that has lost its trial could still write through its handle. The
tables are Optuna 5.0's (``optuna/storages/_rdb/models.py``). The version is locked, and tests check that Optuna's own
readers find what is written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.trial import TrialState
from sqlalchemy import Connection, Table, and_, insert, select, update

from hpo.study.database import statements
from hpo.study.optuna_internals.needs import required

with required():
    from optuna.storages._rdb import models

    STUDIES: Table = models.StudyModel.__table__
    TRIALS: Table = models.TrialModel.__table__
    VALUES: Table = models.TrialValueModel.__table__
    INTERMEDIATE: Table = models.TrialIntermediateValueModel.__table__
    PARAMS: Table = models.TrialParamModel.__table__
    USER: Table = models.TrialUserAttributeModel.__table__
    SYSTEM: Table = models.TrialSystemAttributeModel.__table__
    _VALUE = models.TrialValueModel.TrialValueType
    _INTERMEDIATE = models.TrialIntermediateValueModel.TrialIntermediateValueType
INTERMEDIATE_ROW = statements.Keyed(
    ("trial_id", "step", "intermediate_value", "intermediate_value_type"), ("trial_id", "step")
)
_FINISHED = [state for state in TrialState if state.is_finished()]


def trial_id(connection: Connection, study_id: int, number: int) -> int:
    mine = and_(TRIALS.c.study_id == study_id, TRIALS.c.number == number)
    return int(connection.execute(select(TRIALS.c.trial_id).where(mine)).scalar_one())


def open_trial(connection: Connection, study_id: int, number: int) -> int | None:
    """Return and lock the trial until the transaction ends; None where it has ended."""
    mine = and_(TRIALS.c.study_id == study_id, TRIALS.c.number == number, TRIALS.c.state.not_in(_FINISHED))
    found: int | None = connection.execute(select(TRIALS.c.trial_id).where(mine).with_for_update()).scalar()
    return found


def set_running(connection: Connection, trial: int) -> None:
    _move(connection, trial, state=TrialState.RUNNING, datetime_start=_now())


def set_waiting(connection: Connection, trial: int) -> None:
    """Set a trial to WAITING for its next attempt. Only the worker that ends its own attempt may do this."""
    _move(connection, trial, state=TrialState.WAITING)


def take_waiting(connection: Connection, trial: int, marks: Mapping[str, Any]) -> bool:
    """Set a trial that waits to RUNNING, with user attributes; return False where it waits no more."""
    waiting = and_(TRIALS.c.trial_id == trial, TRIALS.c.state == TrialState.WAITING)
    running = {"state": TrialState.RUNNING, "datetime_start": _now()}
    if connection.execute(update(TRIALS).where(waiting).values(running)).rowcount != 1:
        return False
    set_attributes(connection, trial, marks, {})
    return True


def finish(connection: Connection, trial: int, state: TrialState, value: float | None) -> None:
    """Write the finite value, if any, and the end of a trial that is open."""
    if value is not None:  # first: PostgreSQL lets a worker write no value of a trial that has ended
        row = {"trial_id": trial, "objective": 0, "value": value, "value_type": _VALUE.FINITE}
        statements.replace(connection, VALUES, row, ("trial_id", "objective"))
    _move(connection, trial, state=state, datetime_complete=_now())


def insert_params(connection: Connection, trial: int, params: Sequence[tuple[str, float, BaseDistribution]]) -> None:
    """Write values in Optuna's internal form."""
    rows = [
        {"trial_id": trial, "param_name": name, "param_value": value, "distribution_json": distribution_to_json(known)}
        for name, value, known in params
    ]
    if rows:
        connection.execute(insert(PARAMS), rows)


def set_intermediate(connection: Connection, trial: int, step: int, value: float) -> None:
    """Replace the value at this step (``Trial.report`` would ignore the new value). ``value`` is finite."""
    statements.replace(connection, INTERMEDIATE, intermediate(trial, step, value), INTERMEDIATE_ROW.key)


def intermediate(trial: int, step: int, value: float) -> dict[str, Any]:
    """Return the row of a finite value."""
    return dict(zip(INTERMEDIATE_ROW.columns, (trial, step, value, _INTERMEDIATE.FINITE), strict=True))


def void_after(connection: Connection, trial: int, step: int) -> None:
    """Set every report after ``step`` to NaN, which pruners skip. (A worker may delete nothing.)"""
    later = and_(INTERMEDIATE.c.trial_id == trial, INTERMEDIATE.c.step > step)
    void = {"intermediate_value": None, "intermediate_value_type": _INTERMEDIATE.NAN}
    connection.execute(update(INTERMEDIATE).where(later).values(void))


def set_attributes(connection: Connection, trial: int, user: Mapping[str, Any], system: Mapping[str, Any]) -> None:
    for table, given in ((USER, user), (SYSTEM, system)):
        rows = [{"trial_id": trial, "key": key, "value_json": json.dumps(value)} for key, value in given.items()]
        statements.replace_all(connection, table, rows, ("trial_id", "key"))


def _move(connection: Connection, trial: int, **values: Any) -> bool:
    """Change the state; return False and do nothing for a trial that was ended with other tools."""
    open_one = and_(TRIALS.c.trial_id == trial, TRIALS.c.state.not_in(_FINISHED))
    return connection.execute(update(TRIALS).where(open_one).values(values)).rowcount == 1


def _now() -> datetime:
    """Return the time as naive UTC, as Optuna 5 stores times."""
    return datetime.now(UTC).replace(tzinfo=None)
