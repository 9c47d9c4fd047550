"""Looks at a split of the data, and the verdicts that followed. Each leaves a row."""

from __future__ import annotations

from sqlalchemy import insert, select

from hpo.evidence.document import VerdictDocument
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import Facts, Look, StudyRow


def note_look(storage: Storage, study: StudyRow, by: str, look: Look) -> None:
    """Note a look at a split before it is taken."""
    row = {"study_id": study.id, "at": tables.Now(), "by": by, "split": look.split, "weights": look.weights}
    storage.execute(insert(tables.looks).values(row))


def looks(storage: Storage, study: StudyRow) -> list[Look]:
    """Return the looks of all studies at splits with the content of this study's splits, oldest first.

    Other training data is no reason to begin to count anew. Studies of older versions know the fingerprint of all data
    alone.
    """
    looks, studies = tables.looks, tables.studies
    columns = (looks.c.split, looks.c.weights, studies.c.data_fingerprint, studies.c.facts)
    found = select(*columns).join(studies, studies.c.id == looks.c.study_id).order_by(looks.c.id)
    rows = storage.read(lambda connection: connection.execute(found).all())
    own: dict[str, str] = study.facts.dataset.get("split_fingerprints", {})
    return [
        Look(row.split, row.weights)
        for row in rows
        if row.data_fingerprint == study.identity.data_fingerprint
        or Facts.from_dict(row.facts).has_seen(row.split, own.get(row.split))
    ]


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
