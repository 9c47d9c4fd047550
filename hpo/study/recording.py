"""What a running attempt writes: its beginning, its epochs, its checkpoints."""

from __future__ import annotations

import math
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from sqlalchemy import Connection, Table, insert, select, update

from hpo.errors import ClaimLost
from hpo.spec.rungs import PruningPlan
from hpo.study import optuna_rows, tables
from hpo.study.claims import owned
from hpo.study.context import Context
from hpo.study.progress import Control
from hpo.study.records import Proposal
from hpo.trial.messages import EpochReport
from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class Active:
    """An attempt of this session."""

    proposal: Proposal
    trial_id: int
    """Optuna's."""
    pruning: PruningPlan | None = None
    """When the pruner may be asked; None before ``begin``."""

    def asks(self, epoch: int) -> bool:
        """Whether the pruner is asked after ``epoch``; never for the baseline, with which the others are compared."""
        if self.pruning is None or self.pruning.first is None or self.proposal.baseline:
            return False
        return epoch >= self.pruning.first and epoch not in self.pruning.silent


@dataclass(frozen=True)
class Place:
    """Where an attempt is trained."""

    folder: str
    """Absolute, on the worker's machine."""
    device: str = ""
    slot: int = 0


def write_attempt(context: Context, active: Active, place: Place, planned: dict[str, Any]) -> None:
    """Opens the attempt's row and stores what it will train (columns ``train`` and ``operating_point``)."""
    proposal = active.proposal
    row = {
        "token": proposal.token,
        "study_id": context.study.id,
        "number": proposal.number,
        "ordinal": proposal.ordinal,
        "attempt": proposal.attempt,
        "worker": context.worker,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": context.clock(),
        "detail": "",
        "effective": {},
        "resumed_from": proposal.resume_epoch,
        "checkpoint_epoch": 0,
        **asdict(place),
    }

    def action(connection: Connection) -> None:
        owned(connection, proposal.token)
        optuna_rows.set_running(connection, active.trial_id)
        connection.execute(update(tables.trials).where(_trial(context, proposal.number)).values(planned))
        _replace(connection, tables.attempts, row, ("token",))

    context.storage.write(action)
    context.failpoint("begun")


def write_effective(context: Context, token: str, effective: dict[str, Scalar]) -> None:
    _update_attempt(context, token, effective=effective)


def write_checkpoint(context: Context, token: str, epoch: int, path: str) -> None:
    _update_attempt(context, token, checkpoint_epoch=epoch, checkpoint_path=path)
    context.failpoint("checkpointed")


def write_epoch(context: Context, active: Active, report: EpochReport) -> Control:
    """Ours and Optuna's row of an epoch, in one transaction; what is wanted of the study at that moment.

    An epoch that is trained anew replaces what stood there.
    """
    proposal, finite = active.proposal, math.isfinite(report.objective)
    row = {
        "study_id": context.study.id,
        "number": proposal.number,
        "attempt": proposal.attempt,
        "epoch": report.epoch,
        "objective": report.objective if finite else None,
        "metrics": report.metrics,
        "seconds": report.seconds,
        "recorded_at": datetime.fromtimestamp(report.recorded_at, UTC),
    }
    wanted = select(tables.studies.c.control).where(tables.studies.c.id == context.study.id)

    def action(connection: Connection) -> Control:
        owned(connection, proposal.token)
        optuna_rows.require_running(connection, active.trial_id)
        _replace(connection, tables.epochs, row, ("study_id", "number", "attempt", "epoch"))
        if finite:
            optuna_rows.set_intermediate(connection, active.trial_id, report.epoch, report.objective)
        return Control(connection.execute(wanted).scalar_one())

    control = context.storage.write(action)
    context.failpoint("epoch")
    return control


def should_prune(context: Context, pruner: BasePruner, trial_id: int, epoch: int) -> bool:
    """The pruner sees the trial up to this epoch: a resumed one may still hold values of epochs that it trains anew."""

    def ask() -> bool:
        trial = context.history.get_trial(trial_id)
        trial.intermediate_values = {step: value for step, value in trial.intermediate_values.items() if step <= epoch}
        return bool(pruner.prune(context.plain, trial))  # some return numpy's

    try:
        return context.storage.call_optuna(lambda _rdb: ask())
    except UpdateFinishedTrialError as error:  # some pruners keep notes on the trial
        raise ClaimLost(f"trial {trial_id} was ended by someone else; its result is dropped") from error


def _update_attempt(context: Context, token: str, **values: Any) -> None:
    def action(connection: Connection) -> None:
        owned(connection, token)
        connection.execute(update(tables.attempts).where(tables.attempts.c.token == token).values(values))

    context.storage.write(action)


def _replace(connection: Connection, table: Table, row: dict[str, Any], key: tuple[str, ...]) -> None:
    """Inserts a row, or overwrites the one of the same key."""
    same = [table.c[name] == row[name] for name in key]
    if connection.execute(update(table).where(*same).values(row)).rowcount == 0:
        connection.execute(insert(table).values(row))


def _trial(context: Context, number: int) -> Any:
    return (tables.trials.c.study_id == context.study.id) & (tables.trials.c.number == number)
