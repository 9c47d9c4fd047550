"""Connections of a study to MLflow: its projection, and files for other machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow
    from hpo.tracking.checkpoints import MlflowStore
    from hpo.tracking.projection import Projector


def projector(settings: Settings, storage: Storage, study: StudyRow) -> Projector:
    """Return the study's projection into MLflow."""
    from hpo.study.studies import lifecycle
    from hpo.tracking.projection import Projector
    from hpo.tracking.reader import ProjectionReader

    search = lifecycle.load(storage, study.searched_name) if study.plan else study
    return Projector(settings, study, ProjectionReader(storage, study), home=search)


def checkpoint_store(settings: Settings, study: StudyRow, root: str = "checkpoints") -> MlflowStore | None:
    """Return the store of files for other machines; None if MLflow's store is local to this machine."""
    from hpo.tracking.checkpoints import MlflowStore

    return MlflowStore(settings, study, root) if settings.artifact_root is None else None
