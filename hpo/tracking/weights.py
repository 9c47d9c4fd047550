"""Weights that another machine has trained, fetched from the artifacts of their run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.study.records import TrialRow
from hpo.tracking import client, tags
from hpo.tracking.artifacts import MANIFEST_TAG, file_digest

_BEST = "best.pt"


def fetch(settings: Settings, trial: TrialRow, target: Path) -> bool:
    """Put the trial's best.pt, complete, as its worker uploaded it, at ``target``; False if its run does not hold it.

    Raises ``StorageUnavailable`` while MLflow does not answer, and ``HpoError`` if the stored file is damaged.
    """
    if trial.mlflow_run_id is None:
        return False
    connected = client.connect(settings.tracking_uri)
    with client.reaching(settings.tracking_uri):
        run = connected.get_run(trial.mlflow_run_id)
        wanted = tags.document(run.data.tags, MANIFEST_TAG, dict).get(_BEST)
        if wanted is None:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as aside:
            found = client.repository(run.info.artifact_uri, settings.tracking_uri).download_artifacts(_BEST, aside)
            if file_digest(Path(found)) != wanted:
                raise HpoError(
                    f"{run.info.artifact_uri}/{_BEST} is not what was uploaded: `hpo sync` where it was trained"
                )
            Path(found).replace(target)
    return True
