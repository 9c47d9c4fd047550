"""Reading of a study's rows for the projection, and writing of the two ids that it stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hpo.evidence.document import VerdictDocument
from hpo.study.database.storage import Storage
from hpo.study.records import EpochRow, StudyRow, TrialRow
from hpo.study.studies import lifecycle, snapshot, verdicts


class Reader(Protocol):
    """One study's rows, for the projection to MLflow.

    Each call goes to the database and returns one consistent view of it; what it returns is the caller's. Only the
    projecting thread calls it. Each call raises StorageUnavailable while the database does not answer.
    """

    def trials(self) -> list[TrialRow]:
        """Read all trials.

        Returns:
            The rows, by number.
        """

    def trial(self, number: int) -> TrialRow:
        """Read one trial.

        Args:
            number: The trial's number, from 0.

        Returns:
            Its row, with all attempts.
        """

    def epochs(self, number: int) -> list[EpochRow]:
        """Read every epoch of every attempt at a trial.

        Args:
            number: The trial's number, from 0.

        Returns:
            The rows of its epochs.
        """

    def verdict(self) -> VerdictDocument | None:
        """Read the verdict of the study's confirmation stage (which may be this study itself).

        Returns:
            The verdict, or None until it was reached.
        """

    def set_run(self, number: int, run_id: str) -> None:
        """Keep the id of a trial's MLflow run, over an earlier one.

        Args:
            number: The trial's number, from 0.
            run_id: MLflow's id of the run.
        """

    def set_experiment(self, experiment_id: str) -> None:
        """Keep the id of the study's MLflow experiment, over an earlier one.

        Args:
            experiment_id: MLflow's id of the experiment.
        """


@dataclass(frozen=True)
class ProjectionReader:
    """Reader of the stored study through ``hpo.study``."""

    storage: Storage
    study: StudyRow

    def trials(self) -> list[TrialRow]:
        """Read all trials."""
        return snapshot.trials(self.storage, self.study)

    def trial(self, number: int) -> TrialRow:
        """Read one trial."""
        return snapshot.trial(self.storage, self.study, number)

    def epochs(self, number: int) -> list[EpochRow]:
        """Read a trial's epochs."""
        return snapshot.epochs(self.storage, self.study, number)

    def verdict(self) -> VerdictDocument | None:
        """Read the verdict of this confirmation stage, or of the study's own one."""
        stage = self.study if self.study.plan else lifecycle.confirmation(self.storage, self.study.name)
        return None if stage is None else verdicts.stored(self.storage, stage)

    def set_run(self, number: int, run_id: str) -> None:
        """Keep the id of a trial's MLflow run."""
        snapshot.set_mlflow_run(self.storage, self.study, number, run_id)

    def set_experiment(self, experiment_id: str) -> None:
        """Keep the id of the study's MLflow experiment."""
        lifecycle.set_experiment(self.storage, self.study.id, experiment_id)
