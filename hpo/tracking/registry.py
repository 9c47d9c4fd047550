"""MLflow's model registry: a registered model per study, a version per promotion, aliases champion and challenger."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hpo.settings import Settings
from hpo.study.records import StudyRow
from hpo.tracking import client, experiment
from hpo.tracking.content import Point, RunContent
from hpo.tracking.locations import LEFT_TAG, lies_elsewhere, local_path, present
from hpo.tracking.runs import Run, Runs
from hpo.trial import handed_over
from hpo.trial.vocabulary import RunStatus

CHAMPION, CHALLENGER = "champion", "challenger"
ID_TAG = "hpo.promotion"
"""Tag of a version and of its run: the promotion that made it. A retry finds it and makes no second one."""
_MODEL = "model"


@dataclass(frozen=True)
class Champion:
    """The version that has the alias champion, with its files on this machine."""

    version: str
    weights: Path
    settings: Path
    """Path of its operating_point.json."""
    tags: dict[str, str]


@dataclass(frozen=True)
class RegistryEntry:
    """A promoted model, ready to be registered."""

    id: str
    name: str
    """Name of the registered model."""
    folder: Path
    tags: dict[str, str]
    description: str
    """Description in Markdown."""
    metrics: dict[str, float]


class ModelRegistry:
    """Client of the registry. Each call raises StorageUnavailable while MLflow does not answer; the first imports
    MLflow.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def champion(self, name: str, folder: Path) -> Champion | None:
        """Fetch the champion's files into ``folder``; None if there is no such model or it has no champion."""
        with client.reaching(self._settings.tracking_uri):
            version = None
            with client.passing_over("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                version = self._client.get_model_version_by_alias(name, CHAMPION)
            if version is None:
                return None
            source = present(version.source, self._settings.artifact_root)
            stored = client.repository(source, self._settings.tracking_uri)
            files = Path(stored.download_artifacts("", str(folder)))
            weights, settings = (next(files.rglob(name), None) for name in (handed_over.WEIGHTS, handed_over.POINT))
            if weights is None or settings is None:
                return None  # a person has put the alias on a version of another kind
            return Champion(str(version.version), weights, settings, dict(version.tags))

    def version_of(self, entry: RegistryEntry) -> str | None:
        """Return the version that this promotion has made already in this HPO_HOME, or None."""
        with client.reaching(self._settings.tracking_uri):
            found = self._client.search_model_versions(f"name = '{entry.name}'")
            ours = (each for each in found if each.tags.get(ID_TAG) == entry.id and not self._was_left(each))
            return next((str(each.version) for each in ours), None)

    def follow(self, study: StudyRow) -> list[tuple[str, str, list[str]]]:
        """Make each version of ``study`` again whose files have moved with HPO_HOME; its aliases go along.

        MLflow never changes the place of a version. Returns name, version and aliases of each new one.
        """
        with client.reaching(self._settings.tracking_uri):
            found = self._client.search_model_versions(f"tags.`hpo.study_uuid` = '{study.uuid}'")
            return [told for version in found if self._was_left(version) for told in self._follow(study, version)]

    def _follow(self, study: StudyRow, version: Any) -> Iterator[tuple[str, str, list[str]]]:
        """Make one version again, unless that was done, or its files are nowhere."""
        root, name = self._settings.artifact_root, version.name
        done = version.tags.get(LEFT_TAG) == str(root) or ID_TAG not in version.tags  # the latter is a person's own
        folder = None if done else local_path(present(version.source, root))
        point = None if folder is None else next(folder.rglob(handed_over.POINT), None)
        if point is None:
            return
        tags = {key: value for key, value in version.tags.items() if key != ID_TAG}
        metrics: dict[str, float] = {}
        with client.passing_over("RESOURCE_DOES_NOT_EXIST"):
            metrics = dict(self._client.get_run(version.run_id).data.metrics)
        description = version.description or ""
        entry = RegistryEntry(version.tags[ID_TAG], name, point.parent, tags, description, metrics)
        aliases = self._client.get_registered_model(name).aliases
        its = sorted(alias for alias, number in aliases.items() if str(number) == str(version.version))
        made = self.version_of(entry)
        new = made or self._make(study, entry)
        for alias in its:
            self._client.set_registered_model_alias(name, alias, new)
        self._client.set_model_version_tag(name, str(version.version), LEFT_TAG, str(root))
        if its or made is None:
            yield name, new, its

    def _was_left(self, version: Any) -> bool:
        return lies_elsewhere(version.source, self._settings.artifact_root)

    def add(self, study: StudyRow, entry: RegistryEntry, alias: str) -> str:
        """Register the folder as a new version under ``alias``, or find it registered; return the version."""
        with client.reaching(self._settings.tracking_uri):
            version = self.version_of(entry) or self._make(study, entry)
            self._client.set_registered_model_alias(entry.name, alias, version)
            return version

    def _make(self, study: StudyRow, entry: RegistryEntry) -> str:
        run = self._run(study, entry)
        tags = {"hpo.study": study.name, "hpo.study_uuid": study.uuid}
        with client.passing_over("RESOURCE_ALREADY_EXISTS"):
            self._client.create_registered_model(entry.name, tags=tags)
        made = self._client.create_model_version(
            entry.name,
            source=f"{run.artifact_uri}/{_MODEL}",
            run_id=run.run_id,
            tags={**entry.tags, ID_TAG: entry.id},
            description=entry.description,
        )
        return str(made.version)

    @cached_property
    def _client(self) -> Any:
        return client.connect(self._settings.tracking_uri)

    def _run(self, study: StudyRow, entry: RegistryEntry) -> Run:
        """Return a run of the study's experiment that holds the model's files; the prepared view leaves it out."""
        experiment_id = experiment.find_or_create(self._client, study, self._settings.artifact_root)
        runs = Runs(self._client, experiment_id)
        now = round(time.time() * 1000)
        content = RunContent(
            key=f"{study.uuid}/promotion/{entry.id}",
            name="promotion",
            started_ms=now,
            ended_ms=now,
            status=RunStatus.FINISHED,
            params={},
            tags={"stage": "promotion", ID_TAG: entry.id, **entry.tags},
            points=tuple(Point(name, value, now, 0) for name, value in entry.metrics.items()),
        )
        run = runs.find_or_create(content)
        runs.write(run, content, {})
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / _MODEL
            _save_model(entry.folder, model)
            self._client.log_artifacts(run.run_id, str(model), _MODEL)
        runs.set_status(run, content)
        return run


def _save_model(folder: Path, target: Path) -> None:
    """Save MLflow's flavour ``python_function``: ``mlflow.pyfunc.load_model`` gives a detector at its operating point.

    Nothing is pickled, and no model is loaded here: the loader is a module of ``hpo``.
    """
    from importlib import metadata

    import mlflow.pyfunc

    packages = ("hpo", "ultralytics", "torch", "torchvision", "numpy", "pandas")
    requirements = [f"{name}=={metadata.version(name)}" for name in packages]
    point = json.loads((folder / handed_over.POINT).read_text())["point"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*An input example was not provided")  # the signature is our own
        mlflow.pyfunc.save_model(
            str(target),
            loader_module="hpo.deploy",
            data_path=str(folder),
            signature=_signature(),
            pip_requirements=requirements,
            metadata={"task": "detect", "point": point},
        )
    if (folder / handed_over.CARD).exists():
        shutil.copyfile(folder / handed_over.CARD, target / handed_over.CARD)


def _signature() -> Any:
    """Return the signature: images in, detections out."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    images = TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))  # without a name the array is passed on unchanged
    types = {"image": DataType.long, **dict.fromkeys(("x1", "y1", "x2", "y2", "score"), DataType.double)}
    types |= {"class": DataType.long, "name": DataType.string}
    columns = [ColSpec(type_, name) for name, type_ in types.items()]
    return ModelSignature(inputs=Schema([images]), outputs=Schema(columns))
