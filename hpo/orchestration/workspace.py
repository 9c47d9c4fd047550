"""The place where a study is trained on a machine, and the request to a trial's process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.orchestration.memory_admission import MemoryAdmission
from hpo.orchestration.resumption import Start
from hpo.study.records import Proposal, StudyRow
from hpo.studyfile.planning import plan
from hpo.studyfile.planning.plan import BaselinePlan
from hpo.studyfile.planning.sweep import sweep_plan
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import PredictionFolder, TrialRequest


@dataclass(frozen=True)
class Workspace:
    """The files, devices and memory with which a study is trained on this machine."""

    folder: Path
    """The study's own folder; attempts lie in ``trials/``."""
    model: str
    """Absolute path of the model .yaml or .pt."""
    data: Path
    """Path of the data.yaml that trainings on this machine use."""
    baseline: BaselinePlan | None = None
    devices: tuple[str, ...] = ("auto",)
    """Device of each slot; a slot trains one trial at a time."""
    predictions: Path | None = None
    """Folder for the raw predictions of trained models; None keeps none."""
    cache: Path | None = None
    """Folder for what is kept of the data's files; None keeps nothing."""
    memory: MemoryAdmission | None = None
    """Decides by memory how many slots each device has; then ``devices`` names each device once. None: slots are fixed.
    """
    train_files: Mapping[str, str] = field(default_factory=dict)
    """Path on this machine of each file of weights that a training argument names, by the argument."""

    def asked(self, study: StudyRow, proposal: Proposal) -> tuple[dict[str, Any], OperatingPoint | None]:
        """Return a trial's training arguments, and the setting at which it is measured."""
        if study.plan:
            run = study.plan[proposal.ordinal]
            return dict(run.train), run.operating_point
        return plan.asked(study.spec, self.baseline, proposal.params, is_baseline=proposal.baseline)

    def found(self, train: Mapping[str, Any]) -> dict[str, Any]:
        """Return training arguments with the files of weights where they lie on this machine."""
        return {name: self.train_files.get(name, value) for name, value in train.items()}

    def request(
        self, study: StudyRow, proposal: Proposal, start: Start, device: str, *, sharing: int, best_value: float | None
    ) -> TrialRequest:
        """Make the request to the trial's process.

        ``best_value``: the best value so far, where plots depend on it.
        """
        spec = study.spec
        train, point = self.asked(study, proposal)
        return TrialRequest(
            study=spec.name,
            number=proposal.number,
            ordinal=proposal.ordinal,
            attempt=proposal.attempt,
            folder=str(AttemptPaths.of(self.folder, proposal.number, proposal.attempt).folder),
            model=self.model,
            data=str(self.data),
            train=self.found(train),
            objective=spec.objective,
            operating_point=point,
            sweep=sweep_plan(spec, study.facts.most_labels) if spec.is_swept else None,
            predictions=self.prediction_folder(study),
            cache=None if self.cache is None else str(self.cache),
            plots=spec.plots,
            best_value=best_value,
            checkpoint=None if start.checkpoint is None else str(start.checkpoint),
            known_epochs=start.known,
            device=device,
            token=proposal.token,
            sharing=sharing,
            trusted=tuple(study.facts.trusted.values()),
        )

    def prediction_folder(self, study: StudyRow) -> PredictionFolder | None:
        """Return the folder for a swept trial's predictions; None where none are kept, or the study does not sweep."""
        if self.predictions is None or not study.spec.is_swept:
            return None
        return PredictionFolder(str(self.predictions), study.spec.keep.caches, study.identity.data_fingerprint)
