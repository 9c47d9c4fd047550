"""Promotion of a study's winner on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.settings import Settings
from hpo.wiring import machine, model
from hpo.wiring.same_data import same_data

if TYPE_CHECKING:
    from hpo.orchestration.stop import StopRequest
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

    asked: PromotionRequest
    choice: PromotionChoice
    training: FinalTraining
    launcher: Launcher
    builder: FolderBuilder

    def train(self, stop: StopRequest, show: ShowEpochs) -> Trained:
        """Train as ``FinalTraining.run`` does."""
        return self.training.run(self.launcher, stop, show)

    def make(self, trained: Trained, show: ShowImages) -> tuple[Promoted, Pending | None]:
        """Make the folder; return it, and the promotion to register, if there is one."""
        from hpo.promotion import registering
        from hpo.promotion.registering import Pending

        builder, row = self._showing(show), self.choice.row
        made = builder.make(self.asked, self.choice, trained)
        if self.asked.register is None:
            return made, None
        facts: dict[str, Any] = {"split": made.split, "trial": row.number, "run_id": row.mlflow_run_id or ""}
        place = (self.asked.output, builder.workspace.data)
        wanted = Pending.of(self.asked.register, *place, with_val=trained.with_val, **facts)
        registering.note(builder.storage, builder.study, wanted, builder.by)
        return made, wanted

    def register(self, wanted: Pending, show: ShowImages) -> Registered:
        """Register the model. Raises ``StorageUnavailable`` if the registry does not answer."""
        from hpo.promotion import registering

        builder = self._showing(show)
        return registering.register(builder.storage, builder.study, wanted, builder.weights_process, builder.by)

    def _showing(self, show: ShowImages) -> FolderBuilder:
        return replace(self.builder, weights_process=replace(self.builder.weights_process, show=show))


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
    from hpo.study.studies import places

    data, device, by = place
    choice = choose(storage, study, asked.trial)
    folder.refuse_occupied(asked.output)
    exports.refuse_what_is_missing(asked.exports)
    if asked.register is not None:
        registering.check_name(asked.register)
    source = places.data(storage, study, data).absolute()
    same_data(study, source, settings, "with --data")
    places.remember(settings.home, study.searched_name, "data", source)
    launcher = machine.launcher(settings)
    here, path = settings.study_folder(study.name), model.here(launcher, study, settings)
    files = model.train_files_here(study, settings)
    workspace = Workspace(
        here, path, source, None, (device,), settings.cache / "predictions", settings.cache, train_files=files
    )
    training = FinalTraining(study, choice, workspace, with_val=asked.with_val)
    builder = FolderBuilder(storage, study, workspace, weights_process(settings, study, device), by, machine.versions())
    return Promotion(asked, choice, training, launcher, builder)


def weights_process(settings: Settings, study: StudyRow, device: str) -> WeightsProcess:
    """Return the process that loads weights of ``study``."""
    from hpo.promotion.weights_process import WeightsProcess

    return WeightsProcess(settings, device, settings.study_folder(study.name) / "promote" / "log.txt", lambda *_: None)
