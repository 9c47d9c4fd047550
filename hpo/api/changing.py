"""Change what is wanted of a stored study, bring MLflow in line with it, or remove it."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpo import urls
from hpo.api.finding import who
from hpo.errors import HpoError, OutsideStore, StorageUnavailable

if TYPE_CHECKING:
    from hpo.promotion.registering import Registered
    from hpo.settings import Settings
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow
    from hpo.tracking.projection import Projector, Synced


Order = Literal["run", "pause", "stop", "cancel"]
"""What may be wanted of a study; a value of ``hpo.study.studies.progress.Control``."""


def set_control(storage: Storage, study: StudyRow, control: Order) -> None:
    """Set what is wanted of a study and of its confirmation.

    Args:
        storage: The open database.
        study: The study.
        control: Run, pause, stop or cancel.
    """
    from hpo.study.studies import controls
    from hpo.study.studies.progress import Control

    for each in (study, *_stage(storage, study)):
        controls.set_control(storage, each, Control(control), who())


def _stage(storage: Storage, study: StudyRow) -> list[StudyRow]:
    from hpo.study.studies import lifecycle

    stage = lifecycle.confirmation(storage, study.name)
    return [] if stage is None else [stage]


def accept_data(settings: Settings, storage: Storage, study: StudyRow, data: Path | None = None) -> str | None:
    """Let a study go on with its data as it is now, on record.

    Args:
        settings: Where the study's files lie.
        storage: The open database.
        study: The search.
        data: Its data.yaml, where it is at no place that is known.

    Returns:
        What has changed; None where the data is the study's own.

    Raises:
        UsageError: The study is a confirmation, or the data has other classes.
        StudyBusy: Workers are on it.
        StudyConflict: Its confirmation has begun and has no verdict yet.
    """
    from hpo.study.studies import places
    from hpo.wiring import accepting

    return accepting.accept_data(storage, study, places.data(storage, study, data), settings, who())


@dataclass(frozen=True)
class Sync:
    """What a sync has done."""

    study: StudyRow
    tracking_uri: str
    """Without a password."""
    search: Synced
    confirmation: Synced | None
    registered: list[Registered]
    problems: list[str]
    """Why something could not be registered."""
    undrawn: str | None
    """Why the study's plots could not be drawn."""

    def to_dict(self) -> dict[str, Any]:
        """Give the documented JSON form.

        Returns:
            What ``hpo sync --json`` prints.
        """
        return {
            "study": self.study.name,
            "tracking_uri": self.tracking_uri,
            **asdict(self.search),
            "confirm": self.confirmation and asdict(self.confirmation),
            "registered": [asdict(each) for each in self.registered],
            "undrawn": self.undrawn,
        }


def sync(settings: Settings, storage: Storage, study: StudyRow, *, again: bool = False) -> Sync:
    """Bring MLflow in line with the database; register what a promotion could not register.

    Args:
        settings: Where MLflow is.
        storage: The open database.
        study: The study; its confirmation is written too.
        again: Make a new experiment if the files of the old one lie under another HPO_HOME.

    Returns:
        What was done.

    Raises:
        StorageUnavailable: MLflow or the database does not answer.
    """
    from hpo.promotion import registering
    from hpo.wiring.projecting import projector
    from hpo.wiring.promoting import weights_process

    search = projector(settings, storage, study)
    if again:
        search.begin_again()
    done = search.everything()
    runs = [projector(settings, storage, stage).everything() for stage in _stage(storage, study)]
    followed = registering.follow(settings, study) if again else []
    registered, problems = registering.catch_up(storage, study, weights_process(settings, study, "auto"), who())
    undrawn = _draw(search)  # last: nothing else hangs on it
    place, stage, told = urls.masked(settings.tracking_uri), runs[0] if runs else None, list(map(str, problems))
    return Sync(study, place, done, stage, [*followed, *registered], told, undrawn)


def _draw(search: Projector) -> str | None:
    """Why the study's plots could not be drawn."""
    try:
        search.plots()
    except StorageUnavailable:
        raise
    except HpoError as error:
        return str(error)
    return None


def delete(settings: Settings, storage: Storage, study: StudyRow) -> HpoError | None:
    """Remove a study, its trials and its confirmation from the database, and their weights.

    Args:
        settings: Where files and uploaded checkpoints lie.
        storage: The open database.
        study: The study.

    Returns:
        Why uploaded checkpoints stay where they are; None where none stays.

    Raises:
        StudyBusy: Workers are on it.
    """
    from hpo.study.studies import lifecycle, snapshot

    every = (study, *_stage(storage, study))
    for each in every:
        snapshot.refuse_if_busy(storage, each)
    left = _delete_uploads(settings, storage, study)
    lifecycle.delete(storage, study.name)
    for each in every:
        shutil.rmtree(settings.study_folder(each.name), ignore_errors=True)
    return left


def _delete_uploads(settings: Settings, storage: Storage, study: StudyRow) -> HpoError | None:
    """Checkpoints of trials that have not ended, in the artifact store; why one stays. A stage uploads none."""
    from hpo.study.session import uploads
    from hpo.wiring.projecting import checkpoint_store

    store = checkpoint_store(settings, study)
    if store is None:
        return None
    left: HpoError | None = None
    try:
        for upload in uploads.named(storage, study):
            try:
                store.delete(upload.location)
            except OutsideStore as error:
                left = error
    except HpoError as error:
        return error
    return left
