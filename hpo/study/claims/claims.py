"""Ownership of ordinals. A claim's token fences every write: a worker that lost its claim writes nothing more.

Life of a claim: it is inserted with a token. ``number`` is set once a trial is asked for and its row exists. The token
becomes null again when the trial waits for another attempt or has ended for good. While it has a token it has a lease,
and ``beat`` grows as long as its owner lives.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, insert, or_, select, text, true, update

from hpo.errors import ClaimLost
from hpo.study.claims.claim import Claim, Unsettled
from hpo.study.database import optuna_tables
from hpo.study.database.tables import claims, trials, workers

NEXT = func.coalesce(func.max(claims.c.ordinal) + 1, 0)
"""Expression for the next ordinal of a study."""
_OF_TOKEN = select(claims).where(claims.c.token == bindparam("of"))
_OWNED = _OF_TOKEN.with_for_update()
_LOCK = 0x68706F41  # "hpoA": first half of the advisory locks that admissions to a study take


@dataclass(frozen=True)
class Owner:
    """The worker that takes a claim, and the time. The fields are columns of ``hpo_claims``."""

    token: str
    worker: str
    worker_id: int | None
    claimed_at: datetime
    beat_at: ColumnElement[datetime]
    """Expression for the database's clock."""


def owned(connection: Connection, token: str, *, lock: bool = True) -> Claim:
    """Return and lock the claim with this token, until the transaction ends. Raises ``ClaimLost`` if it changed."""
    claim = of_token(connection, token, lock=lock)
    if claim is None:
        raise _lost(token)
    return claim


def _lost(token: str) -> ClaimLost:
    return ClaimLost(f"attempt {token}: the trial belongs to someone else, or ended; its result is dropped")


def release(connection: Connection, token: str, **changes: Any) -> None:
    """Remove the owner of the ordinal; this is the last step of every end."""
    free = update(claims).where(claims.c.token == token).values(token=None, worker_id=None, **changes)
    if connection.execute(free).rowcount != 1:
        raise _lost(token)


def lock_study(connection: Connection, study_id: int) -> None:
    """Lock the study, so that one worker at a time admits and none finds its ordinal taken.

    The claim's unique key is what keeps the budget exact. On SQLite BEGIN IMMEDIATE has locked the database already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key, :study)"), {"key": _LOCK, "study": study_id})


def take_waiting(connection: Connection, study_id: int, owner: Owner) -> Claim | None:
    """Take the lowest ordinal with a trial that waits, or with none yet. Its attempt counter grows by one."""
    candidates = _with_states(study_id).where(
        claims.c.open, claims.c.token.is_(None), or_(claims.c.number.is_(None), optuna_tables.state == "WAITING")
    )
    row = connection.execute(candidates.order_by(claims.c.ordinal).limit(1)).one_or_none()
    if row is None:
        return None
    taken = {**_lease(owner), "attempt": claims.c.attempt + 1}
    free = and_(claims.c.study_id == study_id, claims.c.ordinal == row.ordinal, claims.c.token.is_(None))
    connection.execute(update(claims).where(free).values(taken))
    return of_token(connection, owner.token)


def insert_next(connection: Connection, study_id: int, ordinal: int, owner: Owner) -> Claim:
    """Insert a claim on ``ordinal``. Raises IntegrityError when another worker was quicker."""
    claim = {"study_id": study_id, "ordinal": ordinal, "attempt": 1, "retries": 0, "open": True, **_lease(owner)}
    return Claim.of(connection.execute(insert(claims).values(claim).returning(*claims.c)).mappings().one())


def of_token(connection: Connection, token: str, *, lock: bool = False) -> Claim | None:
    """Return the claim with this token; None where its token has changed."""
    row = connection.execute(_OWNED if lock else _OF_TOKEN, {"of": token}).mappings().one_or_none()
    return None if row is None else Claim.of(row)


def issued(connection: Connection, study_id: int) -> int:
    """Return how many ordinals were handed out so far; they have no gaps."""
    return int(connection.execute(select(NEXT).where(claims.c.study_id == study_id)).scalar_one())


def beat(connection: Connection, tokens: set[str], now: ColumnElement[datetime]) -> set[str]:
    """Renew the leases of ``tokens``; return those that are still held."""
    if not tokens:
        return set()
    held = update(claims).where(claims.c.token.in_(sorted(tokens)))
    renewed = held.values(beat=claims.c.beat + 1, beat_at=now)
    return set(connection.scalars(renewed.returning(claims.c.token)))


def beats(connection: Connection, study_id: int) -> dict[str, int]:
    """Return every lease of a study, as a map from token to beat."""
    leases = select(claims.c.token, claims.c.beat)
    mine = leases.where(claims.c.study_id == study_id, claims.c.open, claims.c.token.is_not(None))
    return {row.token: row.beat for row in connection.execute(mine)}


def seize(connection: Connection, dead: Unsettled, owner: Owner) -> bool:
    """Take a claim from a dead owner, or an unowned one; return False where it no longer matches ``dead``.

    After that its former owner can write nothing, and the end can be written like any other.
    """
    same = claims.c.token.is_(None) if dead.token is None else claims.c.token == dead.token
    ordinal = and_(claims.c.study_id == dead.study_id, claims.c.ordinal == dead.ordinal)
    seized = update(claims).where(ordinal, claims.c.beat == dead.beat, same)
    lease = {**_lease(owner), "claimed_at": dead.claimed_at}
    return connection.execute(seized.values(lease)).rowcount == 1


def unsettled(connection: Connection, study_id: int, which: ColumnElement[bool] | None = None) -> list[Unsettled]:
    """Return the open claims by ordinal; ``which`` restricts them."""
    found = (
        _with_states(study_id)
        .join(trials, and_(trials.c.study_id == claims.c.study_id, trials.c.number == claims.c.number), isouter=True)
        .join(workers, workers.c.id == claims.c.worker_id, isouter=True)
        .where(claims.c.open, true() if which is None else which)
        .add_columns(trials.c.recorded_at, workers.c.process, workers.c.ended_at.label("worker_ended_at"))
        .order_by(claims.c.ordinal)
    )
    return [Unsettled.of(row) for row in connection.execute(found).mappings()]


def _lease(owner: Owner) -> dict[str, Any]:
    return {**vars(owner), "beat": 0}


def _with_states(study_id: int) -> Select[Any]:
    theirs = optuna_tables.trials
    match = and_(theirs.c.study_id == claims.c.study_id, theirs.c.number == claims.c.number)
    return select(claims, optuna_tables.state).join(theirs, match, isouter=True).where(claims.c.study_id == study_id)
