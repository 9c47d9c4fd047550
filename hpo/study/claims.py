"""Who owns which ordinal. A claim's token fences every write: who lost it writes nothing more.

Life of a claim: inserted with a token; ``number`` is set once the trial is asked and its row stands; the token is null
again when the trial waits for another attempt or ended for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from hpo.errors import ClaimLost
from hpo.study import optuna_tables
from hpo.study.tables import claims, trials


@dataclass(frozen=True)
class Owner:
    """Who takes a claim, and when."""

    token: str
    worker: str
    at: datetime


def owned(connection: Connection, token: str) -> Row[Any]:
    """The claim of this token, locked until the transaction ends. Raises ``ClaimLost`` when it has another one now."""
    row = connection.execute(select(claims).where(claims.c.token == token).with_for_update()).one_or_none()
    if row is None:
        raise ClaimLost(f"attempt {token}: the trial belongs to someone else, or ended; its result is dropped")
    return row


def release(connection: Connection, token: str, **changes: Any) -> None:
    """Nobody owns the ordinal any more; the last step of every end."""
    owned(connection, token)
    connection.execute(update(claims).where(claims.c.token == token).values(token=None, **changes))


def take_waiting(connection: Connection, study_id: int, owner: Owner) -> Row[Any] | None:
    """The lowest ordinal whose trial waits, or was never asked; now owned, one attempt further."""
    candidates = _with_states(study_id).where(
        claims.c.token.is_(None), or_(claims.c.number.is_(None), optuna_tables.state == "WAITING")
    )
    return _take(connection, candidates, owner)


def insert_next(connection: Connection, study_id: int, owner: Owner) -> Row[Any] | None:
    """A claim on the next ordinal. IntegrityError when another worker was quicker."""
    mine = _of_token(connection, owner.token)
    if mine is not None:
        return mine  # a repeated call after a lost acknowledgement
    ordinal = connection.execute(select(func.count()).where(claims.c.study_id == study_id)).scalar_one()
    connection.execute(
        insert(claims).values(
            study_id=study_id,
            ordinal=ordinal,
            token=owner.token,
            attempt=1,
            retries=0,
            worker=owner.worker,
            claimed_at=owner.at,
        )
    )
    return _of_token(connection, owner.token)


def left_behind(study_id: int) -> Select[Any]:
    """Claims that nobody can be working on when no other worker lives: owned ones, and trials that ended unrecorded."""
    unrecorded = and_(claims.c.number.is_not(None), trials.c.recorded_at.is_(None))
    waiting = optuna_tables.state == "WAITING"
    return (
        _with_states(study_id)
        .join(trials, and_(trials.c.study_id == claims.c.study_id, trials.c.number == claims.c.number), isouter=True)
        .where(or_(claims.c.token.is_not(None), and_(unrecorded, ~waiting)))
        .add_columns(trials.c.recorded_at)
        .order_by(claims.c.ordinal)
    )


def seize(connection: Connection, study_id: int, ordinal: int, owner: Owner) -> None:
    """Gives an ordinal without an owner one, so that its end can be written like any other."""
    at = and_(claims.c.study_id == study_id, claims.c.ordinal == ordinal, claims.c.token.is_(None))
    connection.execute(update(claims).where(at).values(token=owner.token))


def _take(connection: Connection, candidates: Select[Any], owner: Owner) -> Row[Any] | None:
    mine = _of_token(connection, owner.token)
    if mine is not None:
        return mine  # a repeated call after a lost acknowledgement
    row = connection.execute(candidates.order_by(claims.c.ordinal).limit(1)).one_or_none()
    if row is None:
        return None
    free = and_(claims.c.study_id == row.study_id, claims.c.ordinal == row.ordinal, claims.c.token.is_(None))
    connection.execute(
        update(claims)
        .where(free)
        .values(token=owner.token, attempt=claims.c.attempt + 1, worker=owner.worker, claimed_at=owner.at)
    )
    return _of_token(connection, owner.token)


def _of_token(connection: Connection, token: str) -> Row[Any] | None:
    return connection.execute(select(claims).where(claims.c.token == token)).one_or_none()


def _with_states(study_id: int) -> Select[Any]:
    theirs = optuna_tables.trials
    match = and_(theirs.c.study_id == claims.c.study_id, theirs.c.number == claims.c.number)
    return select(claims, optuna_tables.state).join(theirs, match, isouter=True).where(claims.c.study_id == study_id)
