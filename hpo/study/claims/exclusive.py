"""The second try of a trial that ran out of memory beside others: it gets its device to itself.

Running out of memory beside other trials says little about the trial itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, or_, select

from hpo.study.claims.claim import Claim
from hpo.study.database.tables import attempts
from hpo.study.records import Exclusive
from hpo.trial.messages import Ended
from hpo.trial.vocabulary import Reason

_EXCLUSIVE = {Reason.OOM: Exclusive.DEVICE, Reason.HOST_OOM: Exclusive.MACHINE}


def required_exclusivity(connection: Connection, study_id: int, ordinal: int) -> Exclusive:
    """Return what the next attempt at an ordinal must have to itself, because an earlier one ran out of memory."""
    mine = select(attempts.c.reason).where(attempts.c.study_id == study_id, attempts.c.ordinal == ordinal)
    reasons = mine.where(attempts.c.reason.in_([reason.value for reason in _EXCLUSIVE]))
    return max((_EXCLUSIVE[Reason(reason)] for reason in connection.scalars(reasons)), default=Exclusive.NOTHING)


def is_tried_exclusively(connection: Connection, claim: Claim, ended: Ended) -> bool:
    """Return whether the claim's attempt ran out of memory beside another trial, for the first time at its ordinal.

    Beside means at any moment of the attempt on the same device of the same machine (for ``host_oom``: anywhere on the
    machine), whatever worker or study the other trial belongs to.
    """
    needed = _EXCLUSIVE.get(ended.reason)
    if needed is None or required_exclusivity(connection, claim.study_id, claim.ordinal) >= needed:
        return False
    ordinal = select(attempts).where(attempts.c.study_id == claim.study_id, attempts.c.ordinal == claim.ordinal)
    newest = ordinal.where(attempts.c.attempt == claim.attempt, attempts.c.number == claim.number)
    mine = connection.execute(newest).one_or_none()
    return mine is not None and _is_beside_others(connection, mine, ended)


def _is_beside_others(connection: Connection, mine: Row[Any], ended: Ended) -> bool:
    at = datetime.fromtimestamp(ended.recorded_at, UTC)
    others = and_(
        attempts.c.token != mine.token,
        attempts.c.host == mine.host,
        attempts.c.device != "",
        attempts.c.started_at <= at,
        or_(attempts.c.ended_at.is_(None), attempts.c.ended_at >= mine.started_at),
    )
    if ended.reason is Reason.OOM and mine.device != "auto":
        others = and_(others, attempts.c.device.in_([mine.device, "auto"]))  # auto may be any device
    return mine.device != "" and bool(connection.execute(select(exists().where(others))).scalar_one())
