"""Epoch rows: a trial's curve over its attempts, and the point where its next attempt may resume."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from hpo.study.database.rows import value_of
from hpo.study.database.tables import attempts, epochs
from hpo.study.records import Earlier, EpochRow, StudyRow, Upload

Here = Callable[[str, str], str]
"""Returns where a path of the attempt with a token is today: ``Storage.here``."""

_EPOCH = [epochs.c[field.name] for field in fields(EpochRow)]


def curve(connection: Connection, study_id: int, number: int) -> list[EpochRow]:
    """Return one row for each epoch, in order.

    Epochs are left out if an attempt reported them after the epoch at which a later attempt resumed.
    """
    starts = select(attempts.c.attempt, attempts.c.resumed_from).where(
        attempts.c.study_id == study_id, attempts.c.number == number
    )
    resumed = [(row.attempt, row.resumed_from) for row in connection.execute(starts)]
    mine = select(*_EPOCH).where(epochs.c.study_id == study_id, epochs.c.number == number)
    newest: dict[int, Row[Any]] = {}
    for row in connection.execute(mine.order_by(epochs.c.epoch, epochs.c.attempt)):
        if all(start >= row.epoch for attempt, start in resumed if attempt > row.attempt):
            newest[row.epoch] = row
    return [_epoch_row(row) for row in newest.values()]


def resume_point(connection: Connection, study: StudyRow, ordinal: int, here: Here) -> int:
    """Return the number of epochs in the newest checkpoint of an ordinal's attempts; 0 without one.

    The checkpoint lies on this machine (``here`` finds it in a home that moved), or was uploaded. Whether it is whole
    is checked when an attempt resumes from it.

    Nothing is resumed in a confirmation stage: it measures how much seeds differ, and a training that resumes from a
    checkpoint is, on a GPU, not the training that it would have been.
    """
    if study.plan:
        return 0
    kept = (
        select(attempts.c.checkpoint_epoch, attempts.c.checkpoint_path, attempts.c.token, attempts.c.uploads)
        .where(attempts.c.study_id == study.id, attempts.c.ordinal == ordinal)
        .order_by(attempts.c.attempt.desc())
    )
    for epoch, path, token, uploads in connection.execute(kept):
        if path is not None and Path(here(path, token)).exists():
            return int(epoch)
        if uploads:
            return max(int(upload["epoch"]) for upload in uploads)
    return 0


def earlier(connection: Connection, study: StudyRow, ordinal: int, here: Here) -> tuple[Earlier, ...]:
    """Return the attempts at an ordinal that began and can be resumed, oldest first; see ``resume_point``."""
    if study.plan:
        return ()
    columns = (attempts.c.attempt, attempts.c.token, attempts.c.folder, attempts.c.resumed_from, attempts.c.uploads)
    mine = select(*columns).where(attempts.c.study_id == study.id, attempts.c.ordinal == ordinal)
    return tuple(
        Earlier(
            row.attempt,
            row.token,
            here(row.folder, row.token),
            row.resumed_from,
            tuple(Upload(**raw) for raw in row.uploads),
        )
        for row in connection.execute(mine.order_by(attempts.c.attempt))
    )


def _epoch_row(row: Row[Any]) -> EpochRow:
    objective = math.nan if row.objective is None else row.objective
    return value_of(EpochRow, row, objective=objective)
