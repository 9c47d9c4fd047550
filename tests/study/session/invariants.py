"""Invariants of a stored study, at any moment and at its end."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import optuna
from sqlalchemy import select

from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow, TrialRow
from hpo.study.studies import snapshot
from hpo.study.studies.progress import progress
from hpo.trial.failures import signature
from hpo.trial.vocabulary import Reason, TrialState

STATES = {
    Reason.COMPLETE: TrialState.COMPLETE,
    Reason.PRUNED: TrialState.PRUNED,
    Reason.DIVERGED: TrialState.PRUNED,
    Reason.OOM: TrialState.PRUNED,
}
DEATHS = {Reason.KILLED, Reason.HUNG, Reason.CRASH, Reason.HOST_OOM, Reason.DISK}


def check(storage: Storage, study: StudyRow) -> None:
    """Check the invariants that hold at any moment, also between a death and its reaping."""
    rows = snapshot.trials(storage, study)
    theirs = optuna_trials(storage, study)
    _check_numbers(rows, theirs)
    for row in rows:
        _check_trial(row, theirs[row.number])
        _check_curve(storage, study, row, theirs[row.number])
    _check_retries(storage, study, rows)
    _check_early_failures(storage, study, rows)
    now = storage.read(lambda connection: progress(connection, study.id))
    told = sum(row.counts for row in rows)
    assert now.counted <= told <= now.counted + now.open
    assert now.counted + now.open == now.issued <= study.spec.budget.trials
    assert max(Counter(row.ordinal for row in rows if row.counts).values(), default=0) <= 1


def check_end(storage: Storage, study: StudyRow) -> None:
    """Check the invariants that hold when no work is left."""
    check(storage, study)
    now = storage.read(lambda connection: progress(connection, study.id))
    assert (now.counted, now.open) == (study.spec.budget.trials, 0)
    assert now.counted == sum(row.counts for row in snapshot.trials(storage, study))
    theirs = optuna_trials(storage, study).values()
    enqueued = [trial for trial in theirs if "claim" not in trial.user_attrs and trial.state.name == "WAITING"]
    assert all(trial.state.is_finished() for trial in theirs if trial not in enqueued)  # those are over the budget


def optuna_trials(storage: Storage, study: StudyRow) -> dict[int, optuna.trial.FrozenTrial]:
    found = optuna.load_study(study_name=study.name, storage=storage.optuna).get_trials()
    assert [trial.number for trial in found] == list(range(len(found)))
    return {trial.number: trial for trial in found}


def _check_numbers(rows: list[TrialRow], theirs: dict[int, optuna.trial.FrozenTrial]) -> None:
    ours = [row.number for row in rows]
    assert len(set(ours)) == len(ours)
    orphans = [theirs[number] for number in theirs.keys() - set(ours)]
    assert all(
        trial.value is None and not trial.intermediate_values for trial in orphans if "retry_of" not in trial.user_attrs
    )
    assert all(trial.state.name in ("RUNNING", "WAITING", "FAIL") for trial in orphans)


def _check_trial(row: TrialRow, theirs: optuna.trial.FrozenTrial) -> None:
    assert row.state.value == theirs.state.name
    assert (row.finished is not None) == theirs.state.is_finished() == (row.reason is not None)
    if row.reason is not None:
        assert row.state is STATES.get(row.reason, TrialState.FAIL)
    if row.state is TrialState.COMPLETE:
        assert row.value is not None
        assert math.isfinite(row.value)
        assert theirs.value == row.value
    else:
        assert row.value is None
        assert not row.counts or row.state is not TrialState.WAITING
    assert theirs.user_attrs["ordinal"] == row.ordinal
    assert {name: row.params[name] for name in theirs.params} == theirs.params
    infeasible = row.reason in (Reason.DIVERGED, Reason.OOM)
    assert theirs.constraints == ({"failure": 1.0} if infeasible else {})


def _check_curve(storage: Storage, study: StudyRow, row: TrialRow, theirs: optuna.trial.FrozenTrial) -> None:
    """Check that Optuna holds our curve, and NaN only where an attempt withdrew values of an earlier one."""
    ours = {epoch.epoch: epoch.objective for epoch in snapshot.epochs(storage, study, row.number)}
    held = {step: value for step, value in theirs.intermediate_values.items() if not math.isnan(value)}
    assert held == {epoch: value for epoch, value in ours.items() if math.isfinite(value)}, row.number


def _check_early_failures(storage: Storage, study: StudyRow, rows: list[TrialRow]) -> None:
    """Check that a failure with its frame ends no trial for good before the study has an epoch."""
    epochs = select(tables.epochs.c.epoch).where(tables.epochs.c.study_id == study.id).limit(1)
    if storage.read(lambda connection: connection.execute(epochs).first()) is None:
        assert not any(row.counts and row.reason is Reason.CRASH and signature(row.detail) for row in rows)


def _check_retries(storage: Storage, study: StudyRow, rows: list[TrialRow]) -> None:
    """Check that each death has one retry, and that there are no more than the study file allows."""
    by_ordinal: dict[int, list[TrialRow]] = defaultdict(list)
    for row in rows:
        by_ordinal[row.ordinal].append(row)
    retries = select(tables.claims.c.ordinal, tables.claims.c.retries).where(tables.claims.c.study_id == study.id)
    used = storage.read(lambda connection: {row.ordinal: row.retries for row in connection.execute(retries)})
    for ordinal, trials in by_ordinal.items():
        *dead, newest = trials
        assert len(dead) == used[ordinal] <= study.spec.recovery.retries
        assert all(row.reason in DEATHS and not row.counts for row in dead)
        # if the reaper dies before it queues the retry, the next reaper queues it
        assert (
            newest.counts
            or newest.reason is None
            or (newest.reason in DEATHS and used[ordinal] < study.spec.recovery.retries)
        )
        assert len({str(row.params) for row in trials}) == 1
