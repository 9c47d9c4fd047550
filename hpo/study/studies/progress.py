"""How far a study has come: its budget, its live hours, and why it takes no more proposals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, select

from hpo.study.claims import claims, live
from hpo.study.database import tables
from hpo.study.status import Finish
from hpo.studyfile.planning import grid
from hpo.studyfile.schema import Budget, StudySpec


class Control(StrEnum):
    """A person's control of a study; every worker obeys within an epoch."""

    RUN = "run"
    PAUSE = "pause"
    """No new trial starts; running ones continue, workers wait."""
    STOP = "stop"
    """No new trial starts; running ones continue, then workers leave."""
    CANCEL = "cancel"
    """Running trials end now and are given back, then workers leave."""

    @property
    def admits(self) -> bool:
        return self is Control.RUN

    @property
    def sends_away(self) -> bool:
        return self in (Control.STOP, Control.CANCEL)


@dataclass(frozen=True)
class StudyProgress:
    issued: int
    """Number of ordinals handed out; each ends in exactly one counting trial."""
    counted: int
    """Number of trials that ended and count, and that Optuna was told."""
    open: int
    """Number of ordinals with a trial that runs, waits, or has to be tried again or told."""
    hours_used: float
    """Hours with at least one live worker."""
    budget: Budget
    """The budget now; ``hpo update`` may have changed it."""
    control: Control
    control_reason: str


def progress(connection: Connection, study_id: int, *, hours: bool = True) -> StudyProgress:
    """Compute the progress.

    ``hours``: whether the live hours are wanted; a budget of hours always needs them.
    """
    leases, studies = tables.claims, tables.studies
    mine = leases.c.study_id == study_id
    unsettled = select(func.count()).where(mine, leases.c.open)  # two queries, so that an index answers each
    counts = select(unsettled.scalar_subquery(), select(claims.NEXT).where(mine).scalar_subquery())
    still_open, issued = connection.execute(counts).one()
    names = (studies.c.budget_trials, studies.c.budget_hours, studies.c.control, studies.c.control_reason)
    wanted = connection.execute(select(*names).where(studies.c.id == study_id)).one()
    return StudyProgress(
        issued=issued,
        counted=issued - still_open,
        open=still_open,
        hours_used=live.hours(connection, study_id) if hours or wanted.budget_hours is not None else 0.0,
        budget=Budget(trials=wanted.budget_trials, hours=wanted.budget_hours),
        control=Control(wanted.control),
        control_reason=wanted.control_reason,
    )


def spent(spec: StudySpec, now: StudyProgress) -> Finish | None:
    """Return why no new ordinal is handed out, or None when one may be."""
    points = grid.limit(spec)
    if now.issued >= now.budget.trials:
        return Finish.BUDGET
    if now.budget.hours is not None and now.hours_used >= now.budget.hours:
        return Finish.HOURS
    if points is not None and now.issued >= points:
        return Finish.GRID
    return None


def finished(spec: StudySpec, now: StudyProgress) -> Finish | None:
    """Return why the search has ended, or None while work is left."""
    return None if now.open else spent(spec, now)
