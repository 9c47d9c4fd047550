"""Checkpoints and starting weights in MLflow's artifact store.

They lie in the experiment's artifact location, in their own folders beside those of its runs. No run shows them.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.study.records import StudyRow
from hpo.tracking import client, experiment

CHECKPOINTS = "checkpoints"


class MlflowStore:
    """The folder ``root`` of one study in the artifact store (``hpo.trial.ports.CheckpointStore``).

    MLflow is imported and contacted by the first call, not before.
    """

    def __init__(self, settings: Settings, study: StudyRow, root: str = CHECKPOINTS) -> None:
        self._settings = settings
        self._study = study
        self._root = root
        self._location: str | None = None
        self._guard = threading.Lock()

    def put(self, file: Path, folder: str) -> str:
        with self._reaching("store"):
            place = f"{self._base()}/{folder}" if folder else self._base()
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

    def _base(self) -> str:
        with self._guard:
            if self._location is None:
                connected = client.connect(self._settings.tracking_uri)
                experiment_id = experiment.find_or_create(connected, self._study, self._settings.artifact_root)
                found = connected.get_experiment(experiment_id).artifact_location
                self._location = f"{found.rstrip('/')}/{self._root}"
            return self._location

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
