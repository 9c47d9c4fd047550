"""The changes that a person may make to a stored study: its control and its budget. Each change leaves a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hpo.errors import StudyStopped, UsageError
from hpo.study.claims import claims
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.studies.progress import Control
from hpo.studyfile import serialize
from hpo.studyfile.schema import Budget


def control(connection: Connection, study_id: int) -> Control:
    wanted = select(tables.studies.c.control).where(tables.studies.c.id == study_id)
    return Control(connection.execute(wanted).scalar_one())


def set_control(storage: Storage, study: StudyRow, wanted: Control, by: str) -> Control:
    """Set the study's control, which every worker obeys within an epoch; return the control before."""

    def action(connection: Connection) -> Control:
        mine = tables.studies.c.id == study.id
        before = connection.execute(select(tables.studies.c.control).where(mine).with_for_update()).scalar_one()
        connection.execute(update(tables.studies).where(mine).values(control=wanted.value, control_reason=""))
        _note(connection, study, by, ("control", before, wanted.value))
        return Control(before)

    return storage.write(action)


def set_budget(storage: Storage, study: StudyRow, by: str, *, trials: int | None, hours: float | None) -> Budget:
    """Change the budget of a live study and return the new one. None leaves a number as it is.

    Raises ``UsageError`` where more trials were handed out than the new budget has, and for a confirmation stage, which
    has planned runs.
    """
    if study.plan:
        raise UsageError(f"study {study.name!r} is a confirmation stage: it has its {len(study.plan)} runs")

    def action(connection: Connection) -> Budget:
        mine = tables.studies.c.id == study.id
        claims.lock_study(connection, study.id)  # no ordinal is handed out by the old budget meanwhile
        row = connection.execute(select(tables.studies).where(mine).with_for_update()).one()
        spec = serialize.from_json(row.spec)
        before = spec.budget
        after = Budget(before.trials if trials is None else trials, before.hours if hours is None else hours)
        issued = claims.issued(connection, study.id)
        if after.trials < issued:
            raise UsageError(f"budget.trials={after.trials}: study {study.name!r} has begun {issued} already")
        changed = replace(spec, budget=after)
        stored = {"spec": serialize.to_json(changed), "spec_sha256": serialize.digest(changed)}
        budget = {"budget_trials": after.trials, "budget_hours": after.hours}
        connection.execute(update(tables.studies).where(mine).values({**stored, **budget}))
        for key, old, new in (("trials", before.trials, after.trials), ("hours", before.hours, after.hours)):
            if old != new:
                _note(connection, study, by, (f"budget.{key}", old, new))
        return after

    return storage.write(action)


def refuse_if_stopped(storage: Storage, study: StudyRow) -> None:
    """Raise ``StudyStopped`` where the study is stopped; a paused study is waited for."""
    rows = select(tables.studies.c.control, tables.studies.c.control_reason).where(tables.studies.c.id == study.id)
    wanted, reason = storage.read(lambda connection: connection.execute(rows).one())
    if Control(wanted).sends_away:
        said = {Control.STOP: "stopped", Control.CANCEL: "cancelled"}[Control(wanted)]
        because = f" by itself: {reason}" if reason else f"; let it go on: hpo resume {study.name}"
        raise StudyStopped(f"study {study.name!r} was {said}{because}")


def _note(connection: Connection, study: StudyRow, by: str, change: tuple[str, Any, Any]) -> None:
    key, before, after = change
    row = {"study_id": study.id, "at": tables.Now(), "by": by, "key": key, "before": before, "after": after}
    connection.execute(insert(tables.changes).values(row))


def note(storage: Storage, study: StudyRow, by: str, key: str, after: Any) -> None:
    """Add a row to ``hpo_changes`` about an event, such as a promotion that is to be registered."""
    storage.write(lambda connection: _note(connection, study, by, (key, None, after)))


def notes(storage: Storage, study: StudyRow, key: str) -> list[Any]:
    """Return what was noted of a study under ``key``, oldest first."""
    changes = tables.changes
    found = select(changes.c.after).where(changes.c.key == key, changes.c.study_id == study.id)
    return storage.read(lambda connection: list(connection.scalars(found.order_by(changes.c.id))))
