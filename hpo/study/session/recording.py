"""The writes of a running attempt: its beginning, its epochs, its checkpoints."""

from __future__ import annotations

import copy
import math
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from sqlalchemy import Connection, CursorResult, bindparam, select, update

from hpo.errors import ClaimLost
from hpo.study.claims.claims import owned
from hpo.study.database import optuna_tables, statements, tables
from hpo.study.database.rows import of_trial
from hpo.study.optuna_internals import optuna_rows
from hpo.study.records import Proposal
from hpo.study.session.context import SessionContext
from hpo.study.studies.progress import Control
from hpo.studyfile.planning.rungs import PruningPlan
from hpo.trial.messages import EpochReport
from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class Active:
    """An attempt of this session."""

    proposal: Proposal
    trial_id: int
    """Optuna's id of the trial."""
    pruning: PruningPlan | None = None
    """Epochs at which the pruner may be asked; None before ``begin``."""

    def asks(self, epoch: int) -> bool:
        """Return whether the pruner is asked after ``epoch``; never for the baseline, the reference of the others."""
        if self.pruning is None or self.pruning.first is None or self.proposal.baseline:
            return False
        return epoch >= self.pruning.first and epoch not in self.pruning.silent


@dataclass(frozen=True)
class Place:
    """The place where an attempt is trained."""

    folder: str
    """Absolute path on the worker's machine."""
    device: str = ""
    slot: int = 0


_OF_ATTEMPT = (
    "study_id",
    "number",
    "ordinal",
    "attempt",
    "worker",
    "host",
    "pid",
    "started_at",
    "folder",
    "device",
    "slot",
)
"""Columns of an attempt that stay as they were when its row was made."""


def write_attempt(context: SessionContext, active: Active, place: Place, planned: dict[str, Any]) -> None:
    """Open the attempt's row and store what it will train (columns ``train`` and ``operating_point``).

    Epochs after the one that the attempt resumes from no longer belong to the trial's curve.
    """
    proposal = active.proposal
    names = ("token", "number", "ordinal", "attempt")
    row: dict[str, Any] = {name: getattr(proposal, name) for name in names} | asdict(place)
    row |= {"study_id": context.study.id, "worker": context.worker, "host": socket.gethostname(), "pid": os.getpid()}
    row |= {"started_at": context.clock(), "resumed_from": proposal.resume_epoch}
    row |= {"detail": "", "effective": {}, "checkpoint_epoch": 0}

    def action(connection: Connection) -> None:
        owned(connection, proposal.token)
        optuna_rows.set_running(connection, active.trial_id)
        if proposal.attempt > 1:
            optuna_rows.void_after(connection, active.trial_id, proposal.resume_epoch)
        mine = of_trial(tables.trials, context.study.id, proposal.number)
        connection.execute(update(tables.trials).where(mine).values(**planned, epochs=proposal.resume_epoch))
        statements.replace(connection, tables.attempts, row, ("token",), _OF_ATTEMPT)

    context.storage.write(action)
    context.failpoint("begun")


def write_effective(context: SessionContext, active: Active, effective: dict[str, Scalar], resumed_from: int) -> None:
    """Store the arguments that are really trained.

    ``resumed_from`` is less than planned where the training found that it can't use its checkpoint.
    """
    proposal = active.proposal

    def action(connection: Connection) -> None:
        owned(connection, proposal.token)
        mine = tables.attempts.c.token == proposal.token
        values = {"effective": effective, "resumed_from": resumed_from}
        connection.execute(update(tables.attempts).where(mine).values(values))
        if resumed_from < proposal.resume_epoch:
            optuna_rows.void_after(connection, active.trial_id, resumed_from)
            trial = of_trial(tables.trials, context.study.id, proposal.number)
            connection.execute(update(tables.trials).where(trial).values(epochs=resumed_from))

    context.storage.write(action)


def update_attempt(context: SessionContext, token: str, **values: Any) -> None:
    """Store columns of the attempt. Raises ``ClaimLost`` where another worker owns it."""

    def action(connection: Connection) -> None:
        owned(connection, token)
        connection.execute(update(tables.attempts).where(tables.attempts.c.token == token).values(values))

    context.storage.write(action)


def write_epoch(context: SessionContext, active: Active, report: EpochReport) -> Control:
    """Write our row and Optuna's row of an epoch in one transaction; return the study's control at that moment.

    An epoch that is trained again replaces the one before.
    """
    proposal, finite = active.proposal, math.isfinite(report.objective)
    asked = {"of": proposal.token, "trial": active.trial_id}
    theirs = optuna_rows.intermediate(active.trial_id, report.epoch, report.objective) if finite else None
    at = datetime.fromtimestamp(report.recorded_at, UTC)
    row = vars(report) | {"objective": report.objective if finite else None, "recorded_at": at}
    row |= {"study_id": context.study.id, "number": proposal.number, "attempt": proposal.attempt}

    def action(connection: Connection) -> Control:
        if connection.dialect.name == "postgresql":  # one statement: most of a trial's calls to it are epochs
            values = asked | _EPOCH.named(tables.epochs, row)
            values |= optuna_rows.INTERMEDIATE_ROW.named(optuna_rows.INTERMEDIATE, theirs) if theirs else {}
            return _wanted(active, connection.execute(_epoch_at_once(finite=finite), values))
        control = _wanted(active, connection.execute(_CONTROL_AND_STATE, asked))
        statements.replace(connection, tables.epochs, row, _EPOCH.key)
        if theirs:
            optuna_rows.set_intermediate(connection, active.trial_id, report.epoch, report.objective)
        return control

    control = context.storage.write(action, single=True)
    context.failpoint("epoch")
    if finite:
        mine = context.storage.call_optuna(lambda _rdb: context.history.own(active.trial_id))
        mine.intermediate_values[report.epoch] = report.objective
    return control


_CONTROL_AND_STATE = (
    select(tables.studies.c.control, optuna_tables.state)
    .select_from(tables.claims.join(tables.studies, tables.studies.c.id == tables.claims.c.study_id))
    .join(optuna_tables.trials, optuna_tables.trials.c.trial_id == bindparam("trial"))
    .where(tables.claims.c.token == bindparam("of"))
    .with_for_update(of=tables.claims)
)


_EPOCH = statements.Keyed(tuple(tables.epochs.c.keys()), tuple(tables.epochs.primary_key.columns.keys()))
_OPEN = ("RUNNING", "WAITING")


@cache
def _epoch_at_once(*, finite: bool) -> Any:
    """Build ``_CONTROL_AND_STATE`` and both rows of an epoch, for a trial that is open and this session's."""
    mine = _CONTROL_AND_STATE.cte("mine")
    is_open = mine.c.state.in_(_OPEN)
    writes = [statements.replacing_where(mine, is_open, tables.epochs, _EPOCH)]
    if finite:
        theirs = optuna_rows.INTERMEDIATE, optuna_rows.INTERMEDIATE_ROW
        writes.append(statements.replacing_where(mine, is_open, *theirs))
    return select(mine.c.control, mine.c.state).add_cte(*writes)


def _wanted(active: Active, found: CursorResult[Any]) -> Control:
    """Return the control of the trial's study. Raises ``ClaimLost`` if the trial ended or is another session's."""
    row = found.one_or_none()
    if row is None or row.state not in _OPEN:
        raise ClaimLost(f"trial {active.proposal.number} belongs to someone else, or ended; its result is dropped")
    return Control(row.control)


def should_prune(context: SessionContext, pruner: BasePruner, trial_id: int, epoch: int) -> bool:
    """Ask the pruner, with the trial up to this epoch: a resumed trial may have values of later epochs."""

    def ask() -> bool:
        trial = copy.deepcopy(context.history.own(trial_id))
        trial.intermediate_values = {step: value for step, value in trial.intermediate_values.items() if step <= epoch}
        return bool(pruner.prune(context.plain, trial))  # some return numpy's bool

    try:
        return context.storage.call_optuna(lambda _rdb: ask())
    except UpdateFinishedTrialError as error:  # some pruners keep notes on the trial
        raise ClaimLost(f"trial {trial_id} was ended by someone else; its result is dropped") from error
