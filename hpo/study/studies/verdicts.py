"""Looks at a split of the data, and the verdicts that followed. Each leaves a row."""

from __future__ import annotations

from sqlalchemy import insert, select

from hpo.evidence.document import VerdictDocument
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import Look, StudyRow


def note_look(storage: Storage, study: StudyRow, by: str, look: Look) -> None:
    """Note a look at a split before it is taken."""
    row = {"study_id": study.id, "at": tables.Now(), "by": by, "split": look.split, "weights": look.weights}
    storage.execute(insert(tables.looks).values(row))


def looks(storage: Storage, data_fingerprint: str) -> list[Look]:
    """Return the looks of all studies at the data with this fingerprint, oldest first."""
    looks, studies = tables.looks, tables.studies
    all_looks = select(looks.c.split, looks.c.weights).join(studies, studies.c.id == looks.c.study_id)
    found = all_looks.where(studies.c.data_fingerprint == data_fingerprint).order_by(looks.c.id)
    return storage.read(lambda connection: [Look(row.split, row.weights) for row in connection.execute(found)])


def keep(storage: Storage, stage: StudyRow, by: str, verdict: VerdictDocument) -> None:
    """Store the verdict of a confirmation stage."""
    row = {"study_id": stage.id, "at": tables.Now(), "by": by, "document": verdict}
    storage.execute(insert(tables.verdicts).values(row))


def stored(storage: Storage, stage: StudyRow) -> VerdictDocument | None:
    """Return the newest verdict of a confirmation stage; None before one was computed."""
    mine = select(tables.verdicts.c.document).where(tables.verdicts.c.study_id == stage.id)
    newest = mine.order_by(tables.verdicts.c.id.desc()).limit(1)
    found: VerdictDocument | None = storage.read(lambda connection: connection.scalars(newest).one_or_none())
    return found
