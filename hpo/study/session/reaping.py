"""The trials of dead workers: a trial that had ended is told, any other is tried again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, exists, func, literal, or_, select

from hpo.errors import ClaimLost
from hpo.study.claims import claims, liveness
from hpo.study.claims.claim import Unsettled
from hpo.study.claims.curve import curve
from hpo.study.database import optuna_tables, tables
from hpo.study.database.storage import NotPermitted
from hpo.study.optuna_internals.attributes import CLAIM
from hpo.study.session import ending, proposing
from hpo.study.session.context import SessionContext
from hpo.trial import results
from hpo.trial.messages import Ended
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason

_DIED = "its worker ended without a result (killed, crashed or lost power)"
KeepLease = Callable[[str], AbstractContextManager[None]]
"""Keeps the lease of a token alive inside the block."""


def reap(
    context: SessionContext, expired: dict[str, int], own: Collection[str], keep_lease: KeepLease
) -> tuple[int, ...]:
    """Settle every trial of a dead owner, and every trial that was ended with other tools.

    ``expired``: leases that this worker saw run out, as a map from token to beat. ``own``: tokens that it holds itself;
    they are never dead.

    Others may do the same at the same time: the first that seizes a claim settles it, and the next call repairs a crash
    in between. Returns the numbers of the trials with changed rows.
    """
    found = context.storage.read(lambda connection: claims.unsettled(connection, context.study.id, _owned_or_ended()))
    touched: list[int] = []
    for claim in found:
        is_dead = claim.token is None or expired.get(claim.token) == claim.beat
        if is_dead or (claim.token not in own and _is_gone(claim)):
            touched += _take_over(context, claim, keep_lease)
    return tuple(touched)


def fail_orphans(context: SessionContext) -> None:
    """Tell FAIL to trials that no claim owns: their worker lost the claim before it adopted them. They never count."""
    theirs, ours, attributes = optuna_tables.trials, tables.trials, optuna_tables.user_attributes
    mine = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    of_trial = and_(attributes.c.trial_id == theirs.c.trial_id, attributes.c.key == CLAIM)
    # without our mark, a trial that waits was enqueued with Optuna's own call
    is_open = or_(
        optuna_tables.state == "RUNNING",
        and_(optuna_tables.state == "WAITING", attributes.c.trial_id.is_not(None)),
    )
    live = exists().where(literal('"') + tables.claims.c.token + literal('"') == attributes.c.value_json)
    joined = theirs.join(ours, mine, isouter=True).join(attributes, of_trial, isouter=True)
    is_orphan = and_(theirs.c.study_id == context.study.id, ours.c.number.is_(None), is_open, ~live)
    # one statement: a trial that it does not see adopted must be seen as owned in the same snapshot
    unclaimed = select(theirs.c.trial_id).select_from(joined).where(is_orphan)
    for trial_id in context.storage.read(lambda connection: list(connection.scalars(unclaimed))):
        proposing.forget(context, trial_id)
        context.failpoint("orphan")


def undo_admission(context: SessionContext, token: str) -> None:
    """Undo an admission of this worker that ended in an error and left a claim half made."""
    mine = tables.claims.c.token == token
    for claim in context.storage.read(lambda connection: claims.unsettled(connection, context.study.id, mine)):
        _settle(context, claim, token)
    fail_orphans(context)


def _owned_or_ended() -> Any:
    """Select claims with an owner, and trials without one that ended unrecorded (with other tools)."""
    unrecorded = and_(tables.claims.c.number.is_not(None), tables.trials.c.recorded_at.is_(None))
    return or_(tables.claims.c.token.is_not(None), and_(unrecorded, optuna_tables.state != "WAITING"))


def _is_gone(claim: Unsettled) -> bool:
    """Return whether the claim's worker left, or ran on this machine and has ended: then no lease needs to run out."""
    return claim.worker_ended_at is not None or (claim.process is not None and liveness.is_gone(claim.process))


def _take_over(context: SessionContext, claim: Unsettled, keep_lease: KeepLease) -> list[int]:
    token = context.storage.new_token()
    with keep_lease(token):
        try:
            is_seized = context.storage.write(lambda connection: claims.seize(connection, claim, context.owner(token)))
        except NotPermitted:  # by the database's clock its lease has not run out
            is_seized = False
        if not is_seized:
            return []  # alive after all, or another worker was quicker
        context.failpoint("seized")
        try:
            return _settle(context, claim, token)
        except ClaimLost:
            return []  # this worker was slow, and another one took the claim


def _settle(context: SessionContext, claim: Unsettled, token: str) -> list[int]:
    if claim.number is None or (claim.state == "WAITING" and claim.recorded_at is None):
        # the attempt never began: its ordinal or its waiting trial is taken again
        context.storage.write(lambda connection: _free(connection, claim, token))
        return []
    if claim.recorded_at is not None:
        ending.settle(context, token)
    else:
        ending.end(context, token, _ended(context, claim))
    return [claim.number]


def _ended(context: SessionContext, claim: Unsettled) -> Ended:
    """Return the result that the trial's process left, or its death."""
    mine = and_(ending.attempt_of(claim), tables.attempts.c.number == claim.number)
    newest = select(tables.attempts).where(mine)
    attempt = context.storage.read(lambda connection: connection.execute(newest).one_or_none())
    left = None
    if attempt is not None:
        folder = context.storage.here(attempt.folder, attempt.token)
        left = results.untold(AttemptPaths(Path(folder)), attempt.token)
    rows = context.storage.read(lambda connection: curve(connection, claim.study_id, claim.trial_number))
    last = rows[-1] if rows else None
    signs = [] if attempt is None else [attempt.started_at, claim.beat_at, last and last.recorded_at]
    at = max((sign for sign in signs if sign is not None), default=context.clock())
    killed = Ended(Reason.KILLED, _DIED, last.epoch if last else 0, None, {}, None, at.timestamp())
    if attempt is not None and attempt.reason == Reason.GIVEN_BACK:
        left = replace(killed, reason=Reason.GIVEN_BACK, detail="")
    if left is None or (left.reason is Reason.GIVEN_BACK and claim.state != "RUNNING"):
        return killed
    return left


def _free(connection: Connection, claim: Unsettled, token: str) -> None:
    """Remove the owner; an attempt that did not begin leaves no gap in the numbers."""
    attempts = tables.attempts
    mine = and_(attempts.c.study_id == claim.study_id, attempts.c.ordinal == claim.ordinal)
    begun = connection.execute(select(func.coalesce(func.max(attempts.c.attempt), 0)).where(mine)).scalar_one()
    claims.release(connection, token, attempt=begun)
