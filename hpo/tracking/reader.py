"""Reading of a study's rows for the projection, and writing of the two ids that it stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hpo.evidence.document import VerdictDocument
from hpo.study.database.storage import Storage
from hpo.study.records import EpochRow, StudyRow, TrialRow
from hpo.study.studies import lifecycle, snapshot, verdicts


class Reader(Protocol):
    """Rows of one study. Only the projecting thread calls it."""

    def trials(self) -> list[TrialRow]:
        """Return all trials, by number."""

    def trial(self, number: int) -> TrialRow: ...

    def epochs(self, number: int) -> list[EpochRow]:
        """Return every epoch of every attempt at the trial."""

    def verdict(self) -> VerdictDocument | None:
        """Return the verdict of the study's confirmation stage (possibly this study), or None before it was reached."""

    def set_run(self, number: int, run_id: str) -> None:
        """Store the id of the trial's MLflow run."""

    def set_experiment(self, experiment_id: str) -> None:
        """Store the id of the study's MLflow experiment."""


@dataclass(frozen=True)
class ProjectionReader:
    """Reader of the stored study through ``hpo.study``."""

    storage: Storage
    study: StudyRow

    def trials(self) -> list[TrialRow]:
        return snapshot.trials(self.storage, self.study)

    def trial(self, number: int) -> TrialRow:
        return snapshot.trial(self.storage, self.study, number)

    def epochs(self, number: int) -> list[EpochRow]:
        return snapshot.epochs(self.storage, self.study, number)

    def verdict(self) -> VerdictDocument | None:
        stage = self.study if self.study.plan else lifecycle.confirmation(self.storage, self.study.name)
        return None if stage is None else verdicts.stored(self.storage, stage)

    def set_run(self, number: int, run_id: str) -> None:
        snapshot.set_mlflow_run(self.storage, self.study, number, run_id)

    def set_experiment(self, experiment_id: str) -> None:
        lifecycle.set_experiment(self.storage, self.study.id, experiment_id)
