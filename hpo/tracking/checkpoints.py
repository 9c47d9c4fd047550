"""Checkpoints and starting weights in MLflow's artifact store.

They lie in the experiment's artifact location, in their own folders beside those of its runs. No run shows them.

A location is relative to that place. It comes from a row that any worker of the study may write, so one that leads out
of the place is refused.
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
from urllib.parse import unquote, urlsplit

from hpo.errors import HpoError, OutsideStore
from hpo.settings import Settings
from hpo.study.records import StudyRow
from hpo.tracking import client, experiment
from hpo.tracking.locations import stays_below


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
            return f"{folder}/{file.name}" if folder else file.name

    def fetch(self, location: str, target: Path) -> None:
        with self._reaching(location), tempfile.TemporaryDirectory(dir=target.parent, prefix="checkpoint-") as aside:
            place, name = self._own(location)
            found = client.repository(place, self._settings.tracking_uri).download_artifacts(name, aside)
            if not Path(found).is_file():
                raise FileNotFoundError(location)
            shutil.move(found, target)

    def delete(self, location: str) -> None:
        with suppress(Missing), self._reaching(location):
            place, name = self._own(location)
            client.repository(place, self._settings.tracking_uri).delete_artifacts(name)

    def _own(self, location: str) -> tuple[str, str]:
        """Return the folder and the name of a file of this store, or of a folder in it.

        Rows of older versions hold the whole address. Raises OutsideStore.
        """
        inner = location.removeprefix(f"{self._base}/")
        if not stays_below(inner) or _leads_out(self._base, inner):
            raise OutsideStore(
                f"{location}: lies outside of {self._base}, where study {self._study.name!r} keeps its files, so it is "
                "left alone; hpo writes no such row: see who else has the database's password"
            )
        folder, _, name = inner.rpartition("/")
        return f"{self._base}/{folder}" if folder else self._base, name

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


def _leads_out(base: str, inner: str) -> bool:
    """Return whether a link leads out of a base that is a folder of this machine."""
    location = urlsplit(base)
    if location.scheme not in ("", "file"):
        return False
    folder = Path(unquote(location.path))
    return not (folder / inner).resolve().is_relative_to(folder.resolve())


def _is_missing(error: Any) -> bool:
    """Return whether an error of MLflow, of its disk or of requests says that there is no such file."""
    if isinstance(error, OSError):
        answer = getattr(error, "response", None)
        return isinstance(error, FileNotFoundError) or getattr(answer, "status_code", None) == HTTPStatus.NOT_FOUND
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or "No such artifact" in str(error)


class Missing(HpoError):
    """The requested file is not in the store."""
