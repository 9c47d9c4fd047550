"""Checkpoints and starting weights in MLflow's artifact store.

They lie in the experiment's artifact location, in their own folders beside those of its runs. No run shows them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.study.records import StudyRow
from hpo.tracking import client, experiment


class MlflowStore:
    """The folder ``root`` of one study in the artifact store (``hpo.trial.ports.CheckpointStore``).

    MLflow is imported and contacted by the first call, not before.
    """

    def __init__(self, settings: Settings, study: StudyRow, root: str = "checkpoints") -> None:
        self._settings = settings
        self._study = study
        self._root = root

    def put(self, file: Path, folder: str) -> str:
        with self._reaching("store"):
            place = f"{self._base}/{folder}" if folder else self._base
            client.repository(place, self._settings.tracking_uri).log_artifact(str(file))
            return f"{place}/{file.name}"

    def fetch(self, location: str, target: Path) -> None:
        place, _, name = location.rpartition("/")
        with self._reaching(location), tempfile.TemporaryDirectory(dir=target.parent, prefix="checkpoint-") as aside:
            found = client.repository(place, self._settings.tracking_uri).download_artifacts(name, aside)
            if not Path(found).is_file():
                raise FileNotFoundError(location)
            shutil.move(found, target)

    def delete(self, location: str) -> None:
        place, _, name = location.rpartition("/")
        with suppress(Missing), self._reaching(location):
            client.repository(place, self._settings.tracking_uri).delete_artifacts(name)

    @cached_property  # two threads may both find it: they find the same
    def _base(self) -> str:
        connected = client.connect(self._settings.tracking_uri)
        experiment_id = experiment.find_or_create(connected, self._study, self._settings.artifact_root)
        return f"{connected.get_experiment(experiment_id).artifact_location.rstrip('/')}/{self._root}"

    @contextmanager
    def _reaching(self, location: str) -> Iterator[None]:
        with client.reaching(self._settings.tracking_uri):
            from mlflow.exceptions import MlflowException

            try:
                yield
            except (OSError, MlflowException) as error:
                if not _is_missing(error):
                    raise
                raise Missing(f"{location}: is not there") from error


def _is_missing(error: Any) -> bool:
    """Return whether an error of MLflow, of its disk or of requests says that there is no such file."""
    if isinstance(error, OSError):
        answer = getattr(error, "response", None)
        return isinstance(error, FileNotFoundError) or getattr(answer, "status_code", None) == HTTPStatus.NOT_FOUND
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or "No such artifact" in str(error)


class Missing(HpoError):
    """The requested file is not in the store."""
