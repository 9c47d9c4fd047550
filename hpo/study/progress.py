"""How far a study is: budget, live hours, and why it takes no more proposals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from hpo.spec.schema import StudySpec
from hpo.study import grid
from hpo.study.tables import claims, trials, workers


@dataclass(frozen=True)
class Progress:
    issued: int
    """Ordinals handed out; each ends in exactly one counting trial."""
    counted: int
    """Trials that ended and count."""
    open: int
    """Ordinals whose trial runs, waits or has to be tried again."""
    hours_used: float
    """Time with at least one live worker."""


def progress(connection: Connection, study_id: int) -> Progress:
    of_claim = and_(trials.c.study_id == claims.c.study_id, trials.c.number == claims.c.number)
    unsettled = or_(trials.c.recorded_at.is_(None), ~trials.c.counts)
    opened = (
        select(func.count())
        .select_from(claims.join(trials, of_claim, isouter=True))
        .where(claims.c.study_id == study_id, unsettled)
    )
    issued = select(func.count()).select_from(claims).where(claims.c.study_id == study_id)
    counted = select(func.count()).select_from(trials).where(trials.c.study_id == study_id, trials.c.counts)
    return Progress(
        issued=connection.execute(issued).scalar_one(),
        counted=connection.execute(counted).scalar_one(),
        open=connection.execute(opened).scalar_one(),
        hours_used=_live_hours(connection, study_id),
    )


def spent(spec: StudySpec, now: Progress) -> str | None:
    """Why no new ordinal is handed out, or None when one may be."""
    points = grid.limit(spec)
    if now.issued >= spec.budget.trials:
        return "budget spent"
    if spec.budget.hours is not None and now.hours_used >= spec.budget.hours:
        return "hours spent"
    if points is not None and now.issued >= points:
        return "grid exhausted"
    return None


def finished(spec: StudySpec, now: Progress) -> str | None:
    """Why the search is over, or None while anything is left to do."""
    return None if now.open else spent(spec, now)


def _live_hours(connection: Connection, study_id: int) -> float:
    """Length of the union of all workers' lives."""
    lives = select(workers.c.started_at, workers.c.seen_at).where(workers.c.study_id == study_id)
    total_s = 0.0
    covered: datetime | None = None
    for start, end in connection.execute(lives.order_by(workers.c.started_at)):
        begin = start if covered is None else max(start, covered)
        total_s += max(0.0, (end - begin).total_seconds())
        covered = end if covered is None else max(end, covered)
    return total_s / 3600
