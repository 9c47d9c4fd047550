"""Where the weights of a stage's runs are: on this machine, or brought here from the run of whoever trained them."""

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
"""So long is waited for what a worker that has just ended its run is uploading."""


@dataclass(frozen=True)
class RunWeights:
    settings: Settings
    stage: StudyRow
    patience_s: float = PATIENCE_S

    def of(self, row: TrialRow) -> Path:
        """The weights of a complete run. Raises ``HpoError`` where they can't be had, also ``StorageUnavailable``."""
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
            return False  # MLflow's store is this machine's own
        from hpo.tracking.weights import fetch

        return retry.until(lambda: fetch(self.settings, row, target), within_s=self.patience_s, every_s=_POLL_S)
