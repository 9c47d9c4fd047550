"""What people and projections read: plain SQL on one snapshot, without loading Optuna, and blocking nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select, update

from hpo.errors import UsageError
from hpo.study import optuna_tables, tables
from hpo.study.curve import curve
from hpo.study.progress import Progress, finished, progress
from hpo.study.records import (
    AttemptRow,
    BudgetRow,
    EpochRow,
    StatusRow,
    StudyRow,
    StudyState,
    TrialRow,
    WorkerRow,
)
from hpo.study.storage import Storage
from hpo.trial.operating_point import OperatingPoint, SweepResult
from hpo.trial.vocabulary import Reason, TrialState

ALIVE_S = 60.0
"""A worker that was seen within this time is alive."""


def trials(storage: Storage, study: StudyRow) -> list[TrialRow]:
    """All trials that a claim stands for, by number."""
    return storage.read(lambda connection: _trials(connection, study))


def trial(storage: Storage, study: StudyRow, number: int) -> TrialRow:
    """Raises ``UsageError`` when there is no such trial."""
    found = storage.read(lambda connection: _trials(connection, study, number))
    if not found:
        raise UsageError(f"study {study.name!r} has no trial {number}: `hpo trials {study.name}` lists them")
    return found[0]


def epochs(storage: Storage, study: StudyRow, number: int) -> list[EpochRow]:
    """A trial's curve: one row an epoch, a retry's taken-over epochs included."""
    return storage.read(lambda connection: curve(connection, study.id, number))


def status(storage: Storage, study: StudyRow) -> StatusRow:
    now, rows, workers = storage.read(
        lambda connection: (
            progress(connection, study.id),
            _trials(connection, study),
            _live_workers(connection, study.id),
        )
    )
    counts = dict.fromkeys(TrialState, 0)
    for row in rows:
        counts[row.state] += 1
    over = finished(study.spec, now)
    return StatusRow(
        name=study.name,
        state=_study_state(rows, workers, over),
        finished=over,
        budget=_budget(study, now),
        counts=counts,
        best=best(rows),
        workers=workers,
    )


def best(rows: Iterable[TrialRow]) -> TrialRow | None:
    """The complete trial of the largest value, the lowest number among equals."""
    complete = [row for row in rows if row.state is TrialState.COMPLETE and row.value is not None]
    return max(complete, key=lambda row: (row.value, -row.number), default=None)


def set_mlflow_run(storage: Storage, study: StudyRow, number: int, run_id: str) -> None:
    """Remembers the MLflow run of a trial."""
    _update(storage, study, number, mlflow_run_id=run_id)


def _update(storage: Storage, study: StudyRow, number: int, **values: Any) -> None:
    mine = and_(tables.trials.c.study_id == study.id, tables.trials.c.number == number)
    statement = update(tables.trials).where(mine).values(**values)
    storage.write(lambda connection: connection.execute(statement))


def _trials(connection: Connection, study: StudyRow, number: int | None = None) -> list[TrialRow]:
    ours, theirs = tables.trials, optuna_tables.trials
    same = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    rows = select(ours, optuna_tables.state).join(theirs, same).where(ours.c.study_id == study.id)
    attempts = select(tables.attempts).where(tables.attempts.c.study_id == study.id)
    newest = (
        select(tables.epochs.c.number, func.max(tables.epochs.c.epoch))
        .where(tables.epochs.c.study_id == study.id)
        .group_by(tables.epochs.c.number)
    )
    if number is not None:
        rows = rows.where(ours.c.number == number)
        attempts = attempts.where(tables.attempts.c.number == number)
        newest = newest.where(tables.epochs.c.number == number)
    tried: dict[int, list[Row[Any]]] = defaultdict(list)
    for attempt in connection.execute(attempts.order_by(tables.attempts.c.attempt)):
        tried[attempt.number].append(attempt)
    reached = {row[0]: row[1] for row in connection.execute(newest)}
    now = datetime.now(UTC)
    return [
        _trial_row(row, tuple(tried[row.number]), reached, now)
        for row in connection.execute(rows.order_by(ours.c.number))
    ]


def _trial_row(row: Row[Any], attempts: tuple[Row[Any], ...], reached: Mapping[int, int], now: datetime) -> TrialRow:
    state = TrialState(row.state)
    ended = row.recorded_at is not None
    return TrialRow(
        number=row.number,
        ordinal=row.ordinal,
        state=state,
        counts=row.counts,
        baseline=row.baseline,
        value=row.value,
        params=row.params,
        metrics=row.metrics,
        reason=None if row.reason is None else Reason(row.reason),
        detail=row.detail,
        epochs=row.epochs if ended else max(row.epochs, reached.get(row.number, 0)),
        worker=attempts[-1].worker if attempts else None,
        started=attempts[0].started_at if attempts else None,
        finished=row.recorded_at,
        duration_s=sum(((each.ended_at or now) - each.started_at).total_seconds() for each in attempts)
        if attempts
        else None,
        mlflow_run_id=row.mlflow_run_id,
        operating_point=None if row.operating_point is None else OperatingPoint.from_dict(row.operating_point),
        train=row.train,
        folder=attempts[-1].folder if attempts else None,
        attempts=tuple(_attempt_row(each) for each in attempts),
        sweep=_sweep(row.operating_point),
    )


def _sweep(stored: dict[str, Any] | None) -> SweepResult | None:
    found = None if stored is None else stored.get("sweep")
    return None if found is None else SweepResult.from_dict(found)


def _attempt_row(row: Row[Any]) -> AttemptRow:
    return AttemptRow(
        number=row.number,
        attempt=row.attempt,
        worker=row.worker,
        started_at=row.started_at,
        ended_at=row.ended_at,
        reason=None if row.reason is None else Reason(row.reason),
        detail=row.detail,
        folder=row.folder,
        effective=row.effective,
        resumed_from=row.resumed_from,
    )


def _live_workers(connection: Connection, study_id: int) -> tuple[WorkerRow, ...]:
    workers = tables.workers
    alive: Select[Any] = select(workers).where(
        workers.c.study_id == study_id,
        workers.c.ended_at.is_(None),
        workers.c.seen_at >= datetime.now(UTC) - timedelta(seconds=ALIVE_S),
    )
    attempts = tables.attempts
    running = select(attempts.c.worker, attempts.c.pid, attempts.c.number).where(
        attempts.c.study_id == study_id, attempts.c.ended_at.is_(None)
    )
    busy = {(row.worker, row.pid): row.number for row in connection.execute(running)}
    return tuple(
        WorkerRow(
            worker=row.worker,
            host=row.host,
            pid=row.pid,
            started_at=row.started_at,
            seen_at=row.seen_at,
            ended_at=row.ended_at,
            number=busy.get((row.worker, row.pid)),
        )
        for row in connection.execute(alive.order_by(workers.c.id))
    )


def _study_state(rows: list[TrialRow], workers: tuple[WorkerRow, ...], over: str | None) -> StudyState:
    if over is not None:
        return StudyState.FINISHED
    if workers:
        return StudyState.RUNNING
    return StudyState.WAITING if rows else StudyState.EMPTY


def _budget(study: StudyRow, now: Progress) -> BudgetRow:
    return BudgetRow(
        trials=study.spec.budget.trials,
        hours=study.spec.budget.hours,
        counted=now.counted,
        issued=now.issued,
        hours_used=now.hours_used,
    )
