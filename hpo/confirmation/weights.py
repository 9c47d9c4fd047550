"""Weights of a stage's runs: found on this machine, or fetched from the MLflow run of the worker that trained them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpo import retry
from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.study.records import StudyRow, TrialRow
from hpo.trial.paths import AttemptPaths

_POLL_S = 2.0
PATIENCE_S = 60.0
"""Seconds to wait for the uploads of a worker that has just ended its run."""


@dataclass(frozen=True)
class RunWeights:
    settings: Settings
    stage: StudyRow
    patience_s: float = PATIENCE_S

    def of(self, row: TrialRow) -> Path:
        """Return the weights of a complete run. Raises ``HpoError`` if they can't be had, also
        ``StorageUnavailable``.
        """
        newest = row.attempts[-1]
        paths = AttemptPaths(Path(newest.folder))
        if paths.belongs_to(newest.token) and paths.best.is_file():
            return paths.best
        fetched = self.settings.study_folder(self.stage.name) / "fetched" / f"{newest.token}.pt"
        if fetched.is_file() or self._brought(row, fetched):
            return fetched
        raise HpoError(
            f"the weights of run {row.number} of {self.stage.name} are neither on this machine ({paths.best}) nor in "
            f"MLflow; it was trained by {row.worker}: the verdict is computed from them. "
            f"Run `hpo sync {self.stage.name}` there, then `hpo confirm {self.stage.searched_name}`"
        )

    def _brought(self, row: TrialRow, target: Path) -> bool:
        if self.settings.artifact_root is not None:
            return False  # MLflow's store is on this machine
        from hpo.tracking.weights import fetch

        return retry.until(lambda: fetch(self.settings, row, target), within_s=self.patience_s, every_s=_POLL_S)
