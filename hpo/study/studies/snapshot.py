"""Reads for people and projections: plain SQL on one snapshot, without Optuna, and without blocking any worker."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, select, update

from hpo.errors import StudyBusy, UsageError
from hpo.study.claims import liveness
from hpo.study.claims.curve import Here, curve
from hpo.study.database import optuna_tables, tables
from hpo.study.database.damage import Damaged
from hpo.study.database.rows import of_trial, value_of
from hpo.study.database.storage import Storage
from hpo.study.records import AttemptRow, EpochRow, StudyRow, TrialRow
from hpo.study.status import BudgetRow, Finish, RunningRow, StatusRow, StudyState, WorkerRow
from hpo.study.studies.progress import Control, StudyProgress, finished, progress
from hpo.trial import vocabulary
from hpo.trial.vocabulary import Reason, TrialState

WASTED = (*(reason for reason in Reason if vocabulary.reaction(reason, retries_left=1).retry), Reason.DATA, Reason.OOM)
"""Reasons that leave nothing to learn, except that they occurred."""


def trials(storage: Storage, study: StudyRow) -> list[TrialRow]:
    """Return all trials that a claim stands for, by number."""
    return storage.read(lambda connection: _trials(connection, study, storage.here), study=study.name)


def some_trials(storage: Storage, study: StudyRow, most: int, *, by_value: bool) -> tuple[list[TrialRow], int]:
    """Return at most ``most`` trials and the best one, by number, and the number of all.

    With ``by_value`` they are those with the largest values, else the newest.
    """
    ours, state = tables.trials, optuna_tables.state
    mine = ours.c.study_id == study.id
    value = ours.c.value.desc().nulls_last()
    chosen = select(ours.c.number).where(mine).order_by(*([value] if by_value else []), ours.c.number.desc())
    theirs = optuna_tables.trials
    same = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    complete = and_(mine, state == TrialState.COMPLETE.value, ours.c.value.is_not(None))
    first = select(ours.c.number).join(theirs, same).where(complete).order_by(value, ours.c.number).limit(1)

    def action(connection: Connection) -> tuple[list[TrialRow], int]:
        total = connection.execute(select(func.count()).select_from(ours).where(mine)).scalar_one()
        if total <= most:
            return _trials(connection, study, storage.here), total
        numbers = {*connection.scalars(chosen.limit(most)), *connection.scalars(first)}
        return _trials(connection, study, storage.here, sorted(numbers)), total

    return storage.read(action, study=study.name)


def trial(storage: Storage, study: StudyRow, number: int) -> TrialRow:
    """Return the trial. Raises ``UsageError`` when there is no such trial."""
    found = storage.read(lambda connection: _trials(connection, study, storage.here, [number]), study=study.name)
    if not found:
        raise UsageError(f"study {study.name!r} has no trial {number}: `hpo trials {study.name}` lists them")
    return found[0]


def epochs(storage: Storage, study: StudyRow, number: int) -> list[EpochRow]:
    """Return a trial's curve: one row for each epoch, including those that a retry took over."""
    return storage.read(lambda connection: curve(connection, study.id, number), study=study.name)


def status(storage: Storage, study: StudyRow, known: list[TrialRow] | None = None) -> StatusRow:
    """Return where the study stands; ``known`` are its trials where they were just read."""
    now, rows, workers, hours = storage.read(
        lambda connection: (
            progress(connection, study.id),
            _trials(connection, study, storage.here) if known is None else known,
            _live_workers(connection, study),
            _hours(connection, study.id),
        ),
        study=study.name,
    )
    over = finished(study.spec, now)
    return StatusRow(
        name=study.name,
        state=_study_state(now, rows, workers, over),
        finished=over,
        budget=BudgetRow(now.budget.trials, now.budget.hours, now.counted, now.issued, now.hours_used),
        counts={**dict.fromkeys(TrialState, 0), **Counter(row.state for row in rows)},
        best=best(rows),
        workers=workers,
        control=now.control.value,
        control_reason=now.control_reason,
        device_hours=sum(hours.values()),
        wasted_hours={reason: spent for reason, spent in hours.items() if reason in WASTED},
        left_s=None if over else _left_s(now, rows, workers),
    )


def refuse_if_busy(storage: Storage, study: StudyRow) -> None:
    """Raise ``StudyBusy`` while a worker lives."""
    workers = storage.read(lambda connection: _live_workers(connection, study), study=study.name)
    if workers:
        names = ", ".join(worker.worker for worker in workers)
        raise StudyBusy(f"study {study.name!r} is being worked on by {names}; send them away: hpo cancel {study.name}")


def best_first(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """Return the complete trials by value, the best first; of equals the earlier one."""
    complete = [row for row in rows if row.state is TrialState.COMPLETE and _is_finite(row.value)]
    return sorted(complete, key=lambda row: (-(row.value or 0.0), row.number))


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)  # a damaged row may hold an infinite value


def best(rows: Iterable[TrialRow]) -> TrialRow | None:
    """Return the best complete trial; None where there is none."""
    return next(iter(best_first(rows)), None)


def set_mlflow_run(storage: Storage, study: StudyRow, number: int, run_id: str) -> None:
    """Store the MLflow run of a trial."""
    mine = of_trial(tables.trials, study.id, number)
    storage.execute(update(tables.trials).where(mine).values(mlflow_run_id=run_id))


def _trials(
    connection: Connection, study: StudyRow, here: Here, numbers: Sequence[int] | None = None
) -> list[TrialRow]:
    def mine(table: Table) -> ColumnElement[bool]:
        whole = table.c.study_id == study.id
        return whole if numbers is None else and_(whole, table.c.number.in_(numbers))

    ours, theirs, attempts, epochs = tables.trials, optuna_tables.trials, tables.attempts, tables.epochs
    same = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    rows = select(ours, optuna_tables.state).join(theirs, same).where(mine(ours)).order_by(ours.c.number)
    newest = select(epochs.c.number, func.max(epochs.c.epoch)).where(mine(epochs)).group_by(epochs.c.number)
    tried: dict[int, list[AttemptRow]] = defaultdict(list)
    for attempt in connection.execute(select(attempts).where(mine(attempts)).order_by(attempts.c.attempt)):
        tried[attempt.number].append(_attempt_row(attempt, here))
    reached = {row[0]: row[1] for row in connection.execute(newest)}
    now = datetime.now(UTC)
    return [_trial_row(row, tried[row.number], reached, now) for row in connection.execute(rows)]


def _trial_row(row: Row[Any], attempts: list[AttemptRow], reached: Mapping[int, int], now: datetime) -> TrialRow:
    ended = row.recorded_at is not None
    seconds = [((each.ended_at or now) - each.started_at).total_seconds() for each in attempts]
    return value_of(
        TrialRow,
        row,
        state=TrialState(row.state),
        reason=_reason(row.reason),
        epochs=row.epochs if ended else max(row.epochs, reached.get(row.number, 0)),
        worker=attempts[-1].worker if attempts else None,
        started=attempts[0].started_at if attempts else None,
        finished=row.recorded_at,
        duration_s=sum(seconds) if attempts else None,
        folder=attempts[-1].folder if attempts else None,
        attempts=tuple(attempts),
    )


def _attempt_row(row: Row[Any], here: Here) -> AttemptRow:
    return value_of(AttemptRow, row, reason=_reason(row.reason), folder=here(row.folder, row.token))


def _reason(stored: str | None) -> Reason | None:
    try:
        return None if stored is None else Reason(stored)
    except ValueError as error:
        raise Damaged("reason", stored) from error


def _live_workers(connection: Connection, study: StudyRow) -> tuple[WorkerRow, ...]:
    """Return the workers seen within two leases by the database's clock, and not known to have ended here."""
    workers = tables.workers
    now: datetime = connection.execute(select(tables.Now())).scalar_one()
    since = now - timedelta(seconds=2 * study.spec.recovery.lease_s)
    alive = and_(workers.c.study_id == study.id, workers.c.ended_at.is_(None), workers.c.seen_at >= since)
    running = _running(connection, study.id)
    return tuple(
        _worker_row(row, tuple(running.get(row.id, ())))
        for row in connection.execute(select(workers).where(alive).order_by(workers.c.id))
        if not liveness.is_gone(row.process)
    )


def _worker_row(row: Row[Any], running: tuple[RunningRow, ...]) -> WorkerRow:
    number = running[0].number if running else None
    return value_of(WorkerRow, row, number=number, slots=tuple(row.slots), running=running)


def _running(connection: Connection, study_id: int) -> dict[int, list[RunningRow]]:
    """Return the running trials by worker's life, the longest running first."""
    attempts, claims = tables.attempts, tables.claims
    names = ("study_id", "ordinal", "attempt")
    owned = and_(*(attempts.c[name] == claims.c[name] for name in names))
    is_busy = and_(claims.c.open, claims.c.token.is_not(None), attempts.c.ended_at.is_(None))
    columns = (claims.c.worker_id, *(attempts.c[name] for name in ("number", "slot", "device", "started_at")))
    busy = select(*columns).join(attempts, owned).where(claims.c.study_id == study_id, is_busy)
    found: dict[int, list[RunningRow]] = defaultdict(list)
    for row in connection.execute(busy.order_by(attempts.c.started_at)):
        found[row.worker_id].append(RunningRow(row.number, row.slot, row.device, row.started_at))
    return found


def _hours(connection: Connection, study_id: int) -> dict[Reason | None, float]:
    """Return the hours in attempts by how they ended; None stands for those that run."""
    attempts = tables.attempts
    now: datetime = connection.execute(select(tables.Now())).scalar_one()
    names = (attempts.c.reason, attempts.c.started_at, attempts.c.ended_at)
    hours: dict[Reason | None, float] = defaultdict(float)
    for row in connection.execute(select(*names).where(attempts.c.study_id == study_id)):
        seconds = ((row.ended_at or now) - row.started_at).total_seconds()
        hours[_reason(row.reason)] += max(0.0, seconds) / 3600
    return hours


def _left_s(now: StudyProgress, rows: list[TrialRow], workers: tuple[WorkerRow, ...]) -> float | None:
    durations = [row.duration_s for row in rows if row.counts and row.duration_s]
    slots = sum(len(worker.slots) for worker in workers)
    if not durations or not slots:
        return None
    return max(0, now.budget.trials - now.counted) * sum(durations) / len(durations) / slots


_CONTROLLED = {Control.PAUSE: StudyState.PAUSED, Control.STOP: StudyState.STOPPED, Control.CANCEL: StudyState.CANCELLED}


def _study_state(
    now: StudyProgress, rows: list[TrialRow], workers: tuple[WorkerRow, ...], over: Finish | None
) -> StudyState:
    if over is not None:
        return StudyState.FINISHED
    if now.control in _CONTROLLED:
        return _CONTROLLED[now.control]
    if workers:
        return StudyState.RUNNING
    return StudyState.WAITING if rows else StudyState.EMPTY
