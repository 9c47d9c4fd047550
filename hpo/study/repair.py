"""What dead workers left: told if it had ended, tried again if not."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, Row, and_, func, select

from hpo.study import claims, ending, optuna_tables, tables
from hpo.study.claims import Owner
from hpo.study.context import Context
from hpo.study.curve import curve
from hpo.trial.messages import Ended, decode
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason

_DIED = "its worker ended without a result (killed, crashed or lost power)"


def repair(context: Context) -> tuple[int, ...]:
    """Settles every trial that nobody can be working on; the caller is the study's only worker.

    Returns the numbers of the trials whose rows changed. A death in the middle is repaired by the next call.
    """
    _fail_orphans(context)
    left = claims.left_behind(context.study.id)
    found = context.storage.read(lambda connection: list(connection.execute(left)))
    touched: list[int] = []
    for claim in found:
        touched += _settle(context, claim)
    return tuple(touched)


def undo_admission(context: Context, token: str) -> None:
    """Frees what an admission that ended in an error left half made; nothing if it left nothing."""
    _fail_orphans(context)
    left = claims.left_behind(context.study.id).where(tables.claims.c.token == token)
    for claim in context.storage.read(lambda connection: list(connection.execute(left))):
        _settle(context, claim)


def _fail_orphans(context: Context) -> None:
    """Asked or requeued by someone who died before the trial was a claim's: told FAIL, and never counted."""
    theirs, ours = optuna_tables.trials, tables.trials
    mine = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    unclaimed = (
        select(theirs.c.trial_id)
        .select_from(theirs.join(ours, mine, isouter=True))
        .where(
            theirs.c.study_id == context.study.id,
            ours.c.number.is_(None),
            optuna_tables.state.in_(("RUNNING", "WAITING")),
        )
    )
    for trial_id in context.storage.read(lambda connection: list(connection.scalars(unclaimed))):
        context.storage.call_optuna(
            lambda _rdb, trial_id=trial_id: context.history.set_trial_state_values(trial_id, TrialState.FAIL)  # type: ignore[misc]
        )
        context.failpoint("orphan")


def _settle(context: Context, claim: Row[Any]) -> list[int]:
    if claim.number is None or (claim.state == "WAITING" and claim.recorded_at is None):
        # the attempt never began: its ordinal or its waiting trial is taken again
        context.storage.write(lambda connection: _free(connection, claim))
        return []
    token = claim.token or _seized(context, claim)
    if claim.recorded_at is not None:
        ending.settle(context, token)
    else:
        ending.end(context, token, _ended(context, claim, token))
    return [claim.number]


def _seized(context: Context, claim: Row[Any]) -> str:
    """A token for a trial that someone ended with other tools."""
    owner = Owner(str(uuid.uuid4()), context.worker, context.clock())
    context.storage.write(lambda connection: claims.seize(connection, claim.study_id, claim.ordinal, owner))
    return owner.token


def _ended(context: Context, claim: Row[Any], token: str) -> Ended:
    """The result that the trial's process left, or its death."""
    attempts = tables.attempts
    attempt = context.storage.read(
        lambda connection: connection.execute(select(attempts).where(attempts.c.token == token)).one_or_none()
    )
    left = None if attempt is None else _read_ended(AttemptPaths(Path(attempt.folder)).ended)
    epochs, at = context.storage.read(lambda connection: _last_sign(connection, claim, attempt))
    seconds = (at or context.clock()).timestamp()
    if attempt is not None and attempt.reason == Reason.GIVEN_BACK:
        left = Ended(Reason.GIVEN_BACK, "", epochs, None, {}, None, seconds)
    if left is None or (left.reason is Reason.GIVEN_BACK and claim.state != "RUNNING"):
        return Ended(Reason.KILLED, _DIED, epochs, None, {}, None, seconds)
    return left


def _read_ended(path: Path) -> Ended | None:
    try:
        message = decode(path.read_bytes())
    except (OSError, ValueError, LookupError, TypeError):
        return None  # not there, or damaged: the training is lost, its retry is not
    return message if isinstance(message, Ended) else None


def _last_sign(connection: Connection, claim: Row[Any], attempt: Row[Any] | None) -> tuple[int, datetime | None]:
    """Epochs that are recorded, and when the attempt was last known to live."""
    rows = curve(connection, claim.study_id, claim.number)
    epochs = rows[-1].epoch if rows else 0
    if attempt is None:
        return epochs, None
    workers = tables.workers
    lives = select(workers.c.seen_at).where(
        workers.c.study_id == claim.study_id,
        workers.c.worker == attempt.worker,
        workers.c.host == attempt.host,
        workers.c.pid == attempt.pid,
        workers.c.started_at <= attempt.started_at,
    )
    seen = connection.execute(lives.order_by(workers.c.id.desc()).limit(1)).scalar()
    signs = [attempt.started_at, seen, rows[-1].recorded_at if rows else None]
    return epochs, max(sign for sign in signs if sign is not None)


def _free(connection: Connection, claim: Row[Any]) -> None:
    """Nobody's again; an attempt that did not begin leaves no gap in the numbers."""
    attempts = tables.attempts
    mine = and_(attempts.c.study_id == claim.study_id, attempts.c.ordinal == claim.ordinal)
    begun = connection.execute(select(func.coalesce(func.max(attempts.c.attempt), 0)).where(mine)).scalar_one()
    claims.release(connection, claim.token, attempt=begun)
