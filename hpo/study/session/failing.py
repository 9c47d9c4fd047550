"""Failures that repeat before the first epoch: another attempt would fail in the same way.

One such failure ends its trial, without the retries that are left. While no attempt of the study has reached its first
epoch, the machine, the data or the model is at fault, and not the trial: it waits then, and the study is paused.
"""

from __future__ import annotations

from enum import Enum, auto

from sqlalchemy import Connection, exists, select, update

from hpo.study.claims.claim import Claim
from hpo.study.database import tables
from hpo.study.studies.progress import Control
from hpo.trial.failures import signature
from hpo.trial.messages import Ended
from hpo.trial.vocabulary import Reason

_NODES = 2
"""Number of nodes that may try a trial before a failure that is the same on all of them ends it."""


class Verdict(Enum):
    """What a failure means for its trial."""

    RETRY = auto()
    """It may be tried again while it has retries."""
    END = auto()
    """It would fail again in the same way."""
    PAUSE = auto()
    """It waits, and the study is paused until the cause is mended."""


def judge(connection: Connection, claim: Claim, ended: Ended, *, retries_left: int) -> Verdict:
    """Judge the end of the claim's attempt, whose row is closed already."""
    mine = signature(ended.detail)
    if ended.reason is not Reason.CRASH or ended.epochs or mine is None:
        return Verdict.RETRY
    is_repeated = _is_repeated(connection, claim, mine)
    epochs = tables.epochs
    began = select(exists().where(epochs.c.study_id == claim.study_id))
    if (is_repeated or retries_left <= 0) and not connection.execute(began).scalar_one():
        return Verdict.PAUSE
    return Verdict.END if is_repeated else Verdict.RETRY


def pause(connection: Connection, claim: Claim, detail: str) -> None:
    """Pause the study with the cause, unless a person has stopped it already."""
    studies = tables.studies
    reason = f"no trial has reached its first epoch, and trial {claim.number} fails in the same way each time: {detail}"
    running = update(studies).where(studies.c.id == claim.study_id, studies.c.control == Control.RUN.value)
    connection.execute(running.values(control=Control.PAUSE.value, control_reason=reason))


def _is_repeated(connection: Connection, claim: Claim, mine: tuple[str, str]) -> bool:
    """Return whether the ordinal failed so before on the same node, or on two others: one other node may try."""
    attempts, epochs = tables.attempts, tables.epochs
    ordinal = select(attempts).where(attempts.c.study_id == claim.study_id, attempts.c.ordinal == claim.ordinal)
    names = ("study_id", "number", "attempt")
    trained = exists().where(*(epochs.c[name] == attempts.c[name] for name in names))
    early = ordinal.where(attempts.c.reason == Reason.CRASH.value, attempts.c.resumed_from == 0, ~trained)
    rows = connection.execute(early.order_by(attempts.c.attempt))
    hosts = [row.host for row in rows if signature(row.detail) == mine]
    return bool(hosts) and (hosts.count(hosts[-1]) > 1 or len(hosts) > _NODES)
