"""Promotion of a study's winner on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import StudyConflict, UsageError
from hpo.settings import Settings
from hpo.wiring import machine, model

if TYPE_CHECKING:
    from hpo.orchestration.stop import StopRequest
    from hpo.orchestration.workspace import Workspace
    from hpo.promotion.card import Promoted
    from hpo.promotion.choice import PromotionChoice
    from hpo.promotion.promote import FolderBuilder, PromotionRequest
    from hpo.promotion.registering import Pending, Registered
    from hpo.promotion.training import FinalTraining, Trained
    from hpo.promotion.training import Show as ShowEpochs
    from hpo.promotion.weights_process import Show as ShowImages
    from hpo.promotion.weights_process import WeightsProcess
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow
    from hpo.trial.ports import Launcher


@dataclass(frozen=True)
class Promotion:
    """A promotion that passed its checks and has not begun yet."""

    storage: Storage
    study: StudyRow
    asked: PromotionRequest
    choice: PromotionChoice
    training: FinalTraining
    launcher: Launcher
    workspace: Workspace
    builder: FolderBuilder
    by: str

    def train(self, stop: StopRequest, show: ShowEpochs) -> Trained:
        """Train as ``FinalTraining.run`` does."""
        return self.training.run(self.launcher, stop, show)

    def make(self, trained: Trained, show: ShowImages) -> tuple[Promoted, Pending | None]:
        """Make the folder; return it, and the promotion to register, if there is one."""
        from hpo.promotion import registering
        from hpo.promotion.registering import Pending

        made = replace(self.builder, weights_process=replace(self.builder.weights_process, show=show)).make(
            self.asked, self.choice, trained
        )
        if self.asked.register is None:
            return made, None
        row = self.choice.row
        wanted = Pending.of(
            self.asked.register,
            self.asked.output,
            self.workspace.data,
            split=made.split,
            trial=row.number,
            run_id=row.mlflow_run_id or "",
            with_val=trained.with_val,
        )
        registering.note(self.storage, self.study, wanted, self.by)
        return made, wanted

    def register(self, wanted: Pending, show: ShowImages) -> Registered:
        """Register the model. Raises ``StorageUnavailable`` if the registry does not answer."""
        from hpo.promotion import registering

        weights_process = replace(self.builder.weights_process, show=show)
        return registering.register(self.storage, self.study, wanted, weights_process, self.by)


def promotion(
    storage: Storage, study: StudyRow, asked: PromotionRequest, settings: Settings, place: tuple[Path | None, str, str]
) -> Promotion:
    """Check all that can be wrong, before anything is trained, and return the promotion.

    ``place`` holds the data.yaml if it is not at the study's path, the device, and the name of the caller. Raises
    ``UsageError``, and ``StudyConflict`` if the data or the model differs.
    """
    from hpo.orchestration.workspace import Workspace
    from hpo.promotion import exports, folder, registering
    from hpo.promotion.choice import choose
    from hpo.promotion.promote import FolderBuilder
    from hpo.promotion.training import FinalTraining

    data, device, by = place
    choice = choose(storage, study, asked.trial)
    folder.refuse_occupied(asked.output)
    exports.refuse_what_is_missing(asked.exports)
    if asked.register is not None:
        registering.check_name(asked.register)
    source = (data or Path(study.spec.data)).absolute()
    refuse_other_data(study, source, settings)
    launcher = machine.launcher(settings)
    here = settings.study_folder(study.name)
    workspace = Workspace(
        here,
        model.here(launcher, study, settings),
        source,
        devices=(device,),
        predictions=settings.cache / "predictions",
    )
    training = FinalTraining(study, choice, workspace, with_val=asked.with_val)
    builder = FolderBuilder(storage, study, workspace, weights_process(settings, study, device), by, machine.versions())
    return Promotion(storage, study, asked, choice, training, launcher, workspace, builder, by)


def weights_process(
    settings: Settings, study: StudyRow, device: str, show: Callable[[str, int, int], None] = lambda *_: None
) -> WeightsProcess:
    """Return the process that loads weights of ``study``."""
    from hpo.promotion.weights_process import WeightsProcess

    return WeightsProcess(settings, device, settings.study_folder(study.name) / "promote" / "log.txt", show)


def refuse_other_data(study: StudyRow, source: Path, settings: Settings) -> None:
    """Raise ``StudyConflict`` with the differences listed, and ``UsageError`` if there is no data."""
    from hpo.dataset.description import describe
    from hpo.dataset.difference import differences

    if not source.exists():
        raise UsageError(f"{source}: no such file; name the data.yaml of study {study.name!r} with --data")
    dataset = describe(source, settings.cache)
    if dataset.fingerprint != study.identity.data_fingerprint:
        listed = differences(study.facts.dataset, dataset)
        raise StudyConflict(study.name, listed, "way out: the same images and labels, named with --data")
