"""The peak memory of attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select

from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow


@dataclass(frozen=True)
class Load:
    """The parts of a training, beside its model, that its memory depends on most."""

    batch: Any
    imgsz: Any

    @staticmethod
    def of(train: Mapping[str, Any]) -> Load:
        """Return the load of training arguments; Ultralytics' defaults where they name neither."""
        return Load(train.get("batch", 16), train.get("imgsz", 640))


@dataclass(frozen=True)
class Peak:
    load: Load
    on_cpu: bool
    mib: float


def seen(storage: Storage, study: StudyRow) -> list[Peak]:
    """Return the peak memory of every attempt that trained this model, in any study of this database."""
    studies, attempts = tables.studies, tables.attempts
    of_model = and_(studies.c.model_sha256 == study.identity.model_sha256, attempts.c.peak_mib.is_not(None))
    peaks = select(attempts.c.effective, attempts.c.peak_mib).join(studies, studies.c.id == attempts.c.study_id)
    mine = peaks.where(of_model)
    rows = storage.read(lambda connection: connection.execute(mine).all())
    return [Peak(Load.of(row.effective), row.effective.get("device") == "cpu", float(row.peak_mib)) for row in rows]
