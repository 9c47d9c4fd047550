"""The data of a study on this machine: the content decides whether it is the same, not where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import StudyConflict, UsageError
from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.dataset.description import DataLook
    from hpo.study.records import StudyRow


def same_data(study: StudyRow, source: Path, settings: Settings, way_out: str) -> None:
    """Raise ``StudyConflict`` with the differences of the data from the study's, and ``UsageError`` if there is none.

    The same data is not decoded: what that found when the study was made is stored with it.
    """
    from hpo.dataset.description import look_at
    from hpo.study.studies import lifecycle

    if not source.exists():
        raise UsageError(f"{source}: no such file; name the data.yaml of study {study.name!r} {way_out}")
    look = look_at(source, settings.cache, decode=False)
    if look.summary.fingerprint != study.identity.data_fingerprint:
        look = look_at(source, settings.cache, decode=True)  # the stored counts are of decoded images
    refuse_other_data(study, look, settings)
    read_otherwise = lifecycle.other_channels(study, look.summary.channels)
    if read_otherwise:
        way_out = f"way out: the same `channels` in {source}, or the study's own data.yaml with --data"
        raise StudyConflict(study.name, read_otherwise, way_out)


def refuse_other_data(study: StudyRow, look: DataLook, settings: Settings) -> None:
    """Raise ``StudyConflict`` with what differs, file by file where this machine knows the study's files."""
    from hpo.dataset import manifest
    from hpo.dataset.difference import differences

    folder, own = settings.study_folder(study.searched_name), study.identity.data_fingerprint
    if look.summary.fingerprint == own:
        manifest.remember(folder, look)
        return
    listed = [*differences(study.facts.dataset, look.summary), *manifest.told(manifest.changes(folder, own, look))]
    raise StudyConflict(study.name, listed, _way_out(study, look.summary.fingerprint))


def _way_out(study: StudyRow, fingerprint: str) -> str:
    own = "way out: the study's own images and labels, named with --data"
    left = [change for change in study.facts.data_changes if change["before"] == fingerprint]
    if left:  # to go back is no wish of a worker that still has the earlier files
        at, by = left[-1]["at"][:10], left[-1]["by"]
        return f"this is its data from before {at}, when {by} accepted another one; {own}"
    return own if study.plan else f"{own}; or go on with these, on record: --accept-data of hpo run, confirm or promote"
