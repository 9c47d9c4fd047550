"""What a running attempt writes: its beginning, its epochs, its checkpoints."""

from __future__ import annotations

import math
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from sqlalchemy import Connection, Table, insert, update

from hpo.errors import ClaimLost
from hpo.spec.rungs import PruningPlan
from hpo.study import tables
from hpo.study.claims import owned
from hpo.study.context import Context
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


def write_attempt(context: Context, proposal: Proposal, folder: str, planned: dict[str, Any]) -> None:
    """Opens the attempt's row and stores what it will train (columns ``train`` and ``operating_point``)."""
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
        "folder": folder,
        "effective": {},
        "resumed_from": proposal.resume_epoch,
        "checkpoint_epoch": 0,
    }

    def action(connection: Connection) -> None:
        owned(connection, proposal.token)
        connection.execute(update(tables.trials).where(_trial(context, proposal.number)).values(planned))
        _replace(connection, tables.attempts, row, ("token",))

    context.storage.write(action)
    context.failpoint("begun")


def write_effective(context: Context, token: str, effective: dict[str, Scalar]) -> None:
    _update_attempt(context, token, effective=effective)


def write_checkpoint(context: Context, token: str, epoch: int, path: str) -> None:
    _update_attempt(context, token, checkpoint_epoch=epoch, checkpoint_path=path)
    context.failpoint("checkpointed")


def write_epoch(context: Context, proposal: Proposal, report: EpochReport) -> None:
    row = {
        "study_id": context.study.id,
        "number": proposal.number,
        "attempt": proposal.attempt,
        "epoch": report.epoch,
        "objective": report.objective if math.isfinite(report.objective) else None,
        "metrics": report.metrics,
        "seconds": report.seconds,
        "recorded_at": datetime.fromtimestamp(report.recorded_at, UTC),
    }

    def action(connection: Connection) -> None:
        owned(connection, proposal.token)
        _replace(connection, tables.epochs, row, ("study_id", "number", "attempt", "epoch"))

    context.storage.write(action)
    context.failpoint("epoch")


def tell_epoch(context: Context, trial_id: int, report: EpochReport) -> None:
    """To Optuna. An epoch that is trained anew replaces what stood there (``Trial.report`` would ignore it)."""
    if not math.isfinite(report.objective):
        return
    try:
        context.storage.call_optuna(
            lambda _rdb: context.history.set_trial_intermediate_value(trial_id, report.epoch, report.objective)
        )
    except UpdateFinishedTrialError as error:
        raise ClaimLost(f"trial {trial_id} was ended by someone else; its result is dropped") from error
    context.failpoint("reported")


def should_prune(context: Context, pruner: BasePruner, trial_id: int, epoch: int) -> bool:
    """The pruner sees the trial up to this epoch: a resumed one may still hold values of epochs that it trains anew."""

    def ask() -> bool:
        trial = context.history.get_trial(trial_id)
        trial.intermediate_values = {step: value for step, value in trial.intermediate_values.items() if step <= epoch}
        return bool(pruner.prune(context.plain, trial))  # some return numpy's

    return context.storage.call_optuna(lambda _rdb: ask())


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
