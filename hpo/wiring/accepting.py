"""A study that goes on with other bytes of its data, on record."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import StudyConflict, UsageError
from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow

_MOST_FILES = 100
"""Number of changed files that are stored by name."""


def accept_data(storage: Storage, study: StudyRow, source: Path, settings: Settings, by: str) -> str | None:
    """Let ``study`` go on with the data that lies at ``source`` now; return what was changed, None where it is the
    study's own.

    Raises ``UsageError`` for a confirmation stage and for other classes, ``StudyBusy`` while workers live, and
    ``StudyConflict`` while a confirmation has no verdict yet: it runs wholly on one state of the data.
    """
    from hpo.dataset import manifest
    from hpo.dataset.description import look_at
    from hpo.study.studies import lifecycle, places, snapshot, verdicts

    if study.plan:
        raise UsageError(f"study {study.name!r} is a confirmation: it runs wholly on one state of the data")
    look = look_at(source, settings.cache, decode=True)
    summary = look.summary
    if summary.fingerprint == study.identity.data_fingerprint:
        return None
    if list(summary.names) != list(study.facts.dataset["names"]):
        raise UsageError(f"{source}: has other classes than study {study.name!r}; make a new study of it")
    snapshot.refuse_if_busy(storage, study)
    stage = lifecycle.confirmation(storage, study.name)
    if stage is not None and verdicts.stored(storage, stage) is None:
        reason = "its confirmation has begun and has no verdict yet: it runs wholly on one state of the data"
        raise StudyConflict(study.name, [reason], "way out: finish it on the earlier data, named with --data")
    folder = settings.study_folder(study.name)
    found = manifest.changes(folder, study.identity.data_fingerprint, look)
    record = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": by,
        "before": study.identity.data_fingerprint,
        "after": summary.fingerprint,
        "splits": study.facts.dataset.get("split_fingerprints", {}),
        "changed": len(found),
        "files": [asdict(change) for change in found[:_MOST_FILES]],
    }
    lifecycle.set_data(storage, study, asdict(summary), record, by)
    manifest.remember(folder, look)
    places.remember(settings.home, study.name, "data", source)
    lines = manifest.told(found) or [f"sha256 {summary.fingerprint[:12]}, not {study.identity.data_fingerprint[:12]}"]
    return "\n".join([f"study {study.name!r} goes on with other data, on record:", *(f"  {line}" for line in lines)])
