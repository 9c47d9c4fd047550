"""Weights of a stage's runs: found on this machine, or fetched from the MLflow run of the worker that trained them."""

from __future__ import annotations

from pathlib import Path

from hpo import retry
from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.study.records import StudyRow, TrialRow
from hpo.tracking.weights import fetch
from hpo.trial.paths import AttemptPaths

_POLL_S = 2.0
PATIENCE_S = 60.0
"""Seconds to wait for the uploads of a worker that has just ended its run."""


def of_run(settings: Settings, stage: StudyRow, row: TrialRow, patience_s: float = PATIENCE_S) -> Path:
    """Return the weights of a complete run. Raises ``HpoError`` if they can't be had, also ``StorageUnavailable``."""
    newest = row.attempts[-1]
    paths = AttemptPaths(Path(newest.folder))
    if paths.belongs_to(newest.token) and paths.best.is_file():
        return paths.best
    fetched = settings.study_folder(stage.name) / "fetched" / f"{newest.token}.pt"
    if fetched.is_file():
        return fetched
    is_remote = settings.artifact_root is None  # otherwise MLflow's store is on this machine
    if is_remote and retry.until(lambda: fetch(settings, row, fetched), within_s=patience_s, every_s=_POLL_S):
        return fetched
    raise HpoError(
        f"the weights of run {row.number} of {stage.name} are neither on this machine ({paths.best}) nor in MLflow; it "
        f"was trained by {row.worker}: the verdict is computed from them. Run `hpo sync {stage.name}` there, then "
        f"`hpo confirm {stage.searched_name}`"
    )
