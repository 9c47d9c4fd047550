"""The hours of a study in which somebody worked on it, as the signs of life of its workers sum them up.

Only the time between two signs of life counts, and never more than a lease of it: a clock that jumps, of the database
or of a machine, ends no budget of hours, and one that goes back stops the count until the next sign of life alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from hpo.study.database.tables import Utc, live, workers


def began(connection: Connection, study_id: int, now: ColumnElement[datetime], lease_s: float) -> None:
    """Note that a worker begins; the time before counts where another one lives."""
    alive = and_(workers.c.study_id == study_id, workers.c.ended_at.is_(None))
    known = connection.execute(select(live.c.seen_at).where(live.c.study_id == study_id)).one_or_none()
    if known is None:
        _insert(connection, study_id, now)
        return
    since = connection.execute(select(now)).scalar_one() - timedelta(seconds=lease_s)
    others = connection.scalar(select(exists().where(alive, workers.c.seen_at >= since)))
    grow(connection, study_id, now, lease_s if others else 0.0)


def grow(connection: Connection, study_id: int, now: ColumnElement[datetime], lease_s: float) -> None:
    """Add the time since anybody's last sign of life, at most ``lease_s`` seconds and at least none.

    Where another worker is just counting, it counts this time too, and nothing is added here.
    """
    mine = live.c.study_id == study_id
    asked = select(live.c.seen_at, now.label("at")).where(mine).with_for_update(skip_locked=True)
    row = connection.execute(asked).one_or_none()
    if row is None:
        return
    passed = 0.0 if row.seen_at is None else (row.at - row.seen_at).total_seconds()
    changed = {"seconds": live.c.seconds + min(max(0.0, passed), lease_s), "seen_at": literal(row.at, Utc())}
    connection.execute(update(live).where(mine).values(changed))


def hours(connection: Connection, study_id: int) -> float:
    """Return the hours with at least one live worker."""
    seconds = connection.scalar(select(live.c.seconds).where(live.c.study_id == study_id))
    return (seconds or 0.0) / 3600


def _insert(connection: Connection, study_id: int, now: ColumnElement[datetime]) -> None:
    try:
        with connection.begin_nested():
            connection.execute(insert(live).values(study_id=study_id, seconds=0.0, seen_at=now))
    except IntegrityError:
        return  # another worker was first
