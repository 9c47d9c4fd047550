"""Choice of the MLflow experiment for a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.errors import StudyConflict
from hpo.study.records import StudyRow
from hpo.tracking.content import STUDY_TAG


def find_or_create(client: Any, study: StudyRow, artifact_root: Path | None) -> str:
    """Return the id of the study's experiment: the stored one, or one found by name, or a new one.

    An experiment belongs to the study if the study's uuid is in its tag. If another experiment has the study's name (of
    another study, or not made by ``hpo``), ``<name>-<first 8 of the uuid>`` is used. A deleted experiment of this study
    is restored, because MLflow never frees its name.
    """
    if study.mlflow_experiment_id and _is_ours(_get(client, study.mlflow_experiment_id), study):
        return _restored(client, _get(client, study.mlflow_experiment_id))
    names = (study.name, f"{study.name}-{study.uuid[:8]}")
    for name in names:
        experiment = client.get_experiment_by_name(name) or _create(client, name, study, artifact_root)
        if _is_ours(experiment, study):
            return _restored(client, experiment)
    raise StudyConflict(
        study.name,
        [f"MLflow experiments {names[0]!r} and {names[1]!r} belong to something else"],
        "rename one of them in MLflow, then run `hpo sync`",
    )


def _create(client: Any, name: str, study: StudyRow, artifact_root: Path | None) -> Any:
    from mlflow.exceptions import MlflowException

    location = None if artifact_root is None else (artifact_root / name).as_uri()
    try:
        client.create_experiment(name, artifact_location=location, tags={STUDY_TAG: study.uuid})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another worker was quicker
            raise
    return client.get_experiment_by_name(name)


def _get(client: Any, experiment_id: str) -> Any | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _is_ours(experiment: Any | None, study: StudyRow) -> bool:
    return experiment is not None and experiment.tags.get(STUDY_TAG) == study.uuid


def _restored(client: Any, experiment: Any) -> str:
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
