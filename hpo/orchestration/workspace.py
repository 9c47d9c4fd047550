"""Where a study is trained on a machine, and what a trial's process is asked to do there."""

from __future__ import annotations

from dataclasses import dataclass
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
    """Where a study is trained on this machine."""

    folder: Path
    """The study's own; attempts lie in ``trials/``."""
    model: str
    """Absolute path of the model .yaml or .pt."""
    data: Path
    """The data.yaml that trainings here start from."""
    baseline: BaselinePlan | None = None
    devices: tuple[str, ...] = ("auto",)
    """One a slot: each trains one trial at a time."""
    predictions: Path | None = None
    """Where the raw predictions of trained models are kept."""
    memory: MemoryAdmission | None = None
    """Where memory decides how many slots each device has; then ``devices`` names each once."""

    def asked(self, study: StudyRow, proposal: Proposal) -> tuple[dict[str, Any], OperatingPoint | None]:
        """Training arguments of a trial, and the setting that it is measured at."""
        if study.plan:
            run = study.plan[proposal.ordinal]
            return dict(run.train), run.operating_point
        return plan.asked(study.spec, self.baseline, proposal.params, is_baseline=proposal.baseline)

    def request(
        self, study: StudyRow, proposal: Proposal, start: Start, device: str, *, sharing: int, best_value: float | None
    ) -> TrialRequest:
        """``best_value``: of the trials so far, where it decides about plots."""
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
            train=train,
            objective=spec.objective,
            operating_point=point,
            sweep=sweep_plan(spec) if spec.is_swept else None,
            predictions=self.prediction_folder(study),
            plots=spec.plots,
            best_value=best_value,
            checkpoint=None if start.checkpoint is None else str(start.checkpoint),
            known_epochs=start.known,
            device=device,
            token=proposal.token,
            sharing=sharing,
        )

    def prediction_folder(self, study: StudyRow) -> PredictionFolder | None:
        """Where a swept trial's predictions are kept; None where none are, or the study sweeps nothing."""
        if self.predictions is None or not study.spec.is_swept:
            return None
        return PredictionFolder(str(self.predictions), study.spec.keep.caches, study.identity.data_fingerprint)
