"""The ranks of trials among all others. A worker asks for them after each trial, without reading the whole study."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from hpo.study.database import optuna_tables, tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow

_A_BATCH = 500


@dataclass(frozen=True)
class Placement:
    best: dict[int, str]
    """Folder of the newest attempt of each of the best trials, by number; the folder may be on any machine."""
    ended: frozenset[int]
    """Numbers, among those asked about, with an ordinal that ended for good: nothing resumes from their files."""


def placement(storage: Storage, study: StudyRow, numbers: Collection[int]) -> Placement:
    """Return which of ``numbers`` ended, and the ``keep.weights`` best trials (the earlier wins ties)."""
    count = study.spec.keep.weights
    return storage.read(lambda connection: _placement(connection, study.id, count, numbers))


def best_value(storage: Storage, study: StudyRow) -> float | None:
    """Return the best value of all complete trials; None where there is none."""
    largest = _complete(study.id, func.max(tables.trials.c.value))
    found: float | None = storage.read(lambda connection: connection.execute(largest).scalar_one())
    return found


def _placement(connection: Connection, study_id: int, count: int, numbers: Collection[int]) -> Placement:
    trials, attempts, claims = tables.trials, tables.attempts, tables.claims
    first = _complete(study_id, trials.c.number).order_by(trials.c.value.desc(), trials.c.number).limit(count)
    of_best = and_(attempts.c.study_id == study_id, attempts.c.number.in_(first))
    folders = select(attempts.c.number, attempts.c.folder).where(of_best).order_by(attempts.c.attempt)
    best = {row.number: row.folder for row in connection.execute(folders)}
    of_ordinal = and_(claims.c.study_id == trials.c.study_id, claims.c.ordinal == trials.c.ordinal)
    closed = select(trials.c.number).join(claims, of_ordinal).where(trials.c.study_id == study_id, ~claims.c.open)
    ended: set[int] = set()
    asked = sorted(numbers)
    for start in range(0, len(asked), _A_BATCH):
        ended |= set(connection.scalars(closed.where(trials.c.number.in_(asked[start : start + _A_BATCH]))))
    return Placement(best, frozenset(ended))


def _complete(study_id: int, column: Any) -> Select[Any]:
    ours, theirs = tables.trials, optuna_tables.trials
    same = and_(ours.c.study_id == theirs.c.study_id, ours.c.number == theirs.c.number)
    complete = and_(ours.c.study_id == study_id, ours.c.value.is_not(None), optuna_tables.state == "COMPLETE")
    return select(column).select_from(ours.join(theirs, same)).where(complete)
