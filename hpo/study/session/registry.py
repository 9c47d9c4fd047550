"""The workers of a study."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from hpo.study.claims import live, liveness
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.context import SessionContext
from hpo.study.studies.progress import Control


@dataclass(frozen=True)
class Life:
    """One life of a worker."""

    worker: str
    slots: tuple[str, ...] = ("auto",)
    """Device of each slot."""


def enter(storage: Storage, study: StudyRow, life: Life, now: ColumnElement[datetime]) -> int:
    """Insert a new life and return its id."""
    me = {"worker": life.worker, "slots": list(life.slots), "host": socket.gethostname(), "pid": os.getpid()}
    row = me | {"study_id": study.id, "process": liveness.this_process(), "started_at": now, "seen_at": now}
    returning = insert(tables.workers).values(row).returning(tables.workers.c.id)

    def action(connection: Connection) -> int:
        live.began(connection, study.id, now, study.spec.recovery.lease_s)
        return int(connection.execute(returning).scalar_one())

    return storage.write(action)


def seen(connection: Connection, context: SessionContext) -> None:
    """Note a sign of life; the study's live hours run to the last one."""
    mine, now = tables.workers.c.id == context.worker_id, context.now()
    connection.execute(update(tables.workers).where(mine).values(seen_at=now))
    live.grow(connection, context.study.id, now, context.study.spec.recovery.lease_s)


def offers(context: SessionContext, slots: tuple[str, ...]) -> None:
    me = tables.workers.c.id == context.worker_id
    context.storage.execute(update(tables.workers).where(me).values(slots=list(slots)))


def leave(context: SessionContext) -> None:
    me = tables.workers.c.id == context.worker_id

    def action(connection: Connection) -> None:
        seen(connection, context)
        connection.execute(update(tables.workers).where(me).values(ended_at=context.now()))

    context.storage.write(action)


def give_up(context: SessionContext, because: str) -> bool:
    """Note why a worker takes no more trials.

    Pauses the study, and returns True, where another worker that ran at the same time has given up too and nothing has
    been trained since: then the study is at fault.
    """
    study_id, workers = context.study.id, tables.workers

    def action(connection: Connection) -> bool:
        me = workers.c.id == context.worker_id
        connection.execute(update(workers).where(me).values(failure=because))
        started_at = connection.execute(select(workers.c.started_at).where(me)).scalar_one()
        trained = select(func.max(tables.epochs.c.recorded_at)).where(tables.epochs.c.study_id == study_id)
        since = connection.execute(trained).scalar()
        beside_me = or_(workers.c.ended_at.is_(None), workers.c.ended_at >= max(since or started_at, started_at))
        failed = and_(workers.c.study_id == study_id, ~me, workers.c.failure != "", workers.c.seen_at >= started_at)
        fallen = sorted(set(connection.scalars(select(workers.c.worker).where(failed, beside_me))))
        if not fallen:
            return False
        reason = f"everything fails on {', '.join([*fallen, context.worker])}: {because}"
        paused = {"control": Control.PAUSE.value, "control_reason": reason}
        connection.execute(update(tables.studies).where(tables.studies.c.id == study_id).values(paused))
        return True

    return context.storage.write(action)
