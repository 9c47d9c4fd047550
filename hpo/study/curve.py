"""Epoch rows: a trial's curve over its attempts, and where its next attempt may go on from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from hpo.study.records import EpochRow
from hpo.study.tables import attempts, epochs


def curve(connection: Connection, study_id: int, number: int) -> list[EpochRow]:
    """One row an epoch, in order, without what an attempt reported after the epoch that a later one resumed from."""
    starts = select(attempts.c.attempt, attempts.c.resumed_from).where(
        attempts.c.study_id == study_id, attempts.c.number == number
    )
    resumed = [(row.attempt, row.resumed_from) for row in connection.execute(starts)]
    mine = select(epochs).where(epochs.c.study_id == study_id, epochs.c.number == number)
    newest: dict[int, Row[Any]] = {}
    for row in connection.execute(mine.order_by(epochs.c.epoch, epochs.c.attempt)):
        if all(start >= row.epoch for attempt, start in resumed if attempt > row.attempt):
            newest[row.epoch] = row
    return [_epoch_row(row) for row in newest.values()]


def resume_point(connection: Connection, study_id: int, ordinal: int) -> tuple[int, str | None]:
    """Epochs and path of the newest checkpoint of an ordinal's attempts that is still there; (0, None) without one."""
    kept = (
        select(attempts.c.checkpoint_epoch, attempts.c.checkpoint_path)
        .where(attempts.c.study_id == study_id, attempts.c.ordinal == ordinal, attempts.c.checkpoint_path.is_not(None))
        .order_by(attempts.c.attempt.desc())
    )
    for epoch, path in connection.execute(kept):
        if Path(path).exists():
            return int(epoch), str(path)
    return 0, None


def _epoch_row(row: Row[Any]) -> EpochRow:
    return EpochRow(
        number=row.number,
        attempt=row.attempt,
        epoch=row.epoch,
        objective=math.nan if row.objective is None else row.objective,
        metrics=row.metrics,
        seconds=row.seconds,
        recorded_at=row.recorded_at,
    )
