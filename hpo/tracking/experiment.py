"""Choice of the MLflow experiment for a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.errors import StudyConflict
from hpo.study.records import StudyRow
from hpo.tracking.client import passing_over
from hpo.tracking.content import STUDY_TAG


def find_or_create(client: Any, study: StudyRow, artifact_root: Path | None) -> str:
    """Return the id of the study's experiment: the stored one, or one found by name, or a new one.

    An experiment belongs to the study if the study's uuid is in its tag. If another experiment has the study's name (of
    another study, or not made by ``hpo``), ``<name>-<first 8 of the uuid>`` is used. A deleted experiment of this study
    is restored, because MLflow never frees its name.
    """
    stored = _get(client, study.mlflow_experiment_id) if study.mlflow_experiment_id else None
    if _is_ours(stored, study):
        return _restored(client, stored)
    names = (study.name, f"{study.name}-{study.uuid[:8]}")
    for name in names:
        experiment = client.get_experiment_by_name(name) or _create(client, name, study, artifact_root)
        if _is_ours(experiment, study):
            return _restored(client, experiment)
    taken = f"MLflow experiments {names[0]!r} and {names[1]!r} belong to something else"
    raise StudyConflict(study.name, [taken], "rename one of them in MLflow, then run `hpo sync`")


def _create(client: Any, name: str, study: StudyRow, artifact_root: Path | None) -> Any:
    location = None if artifact_root is None else (artifact_root / name).as_uri()
    with passing_over("RESOURCE_ALREADY_EXISTS"):  # another worker was quicker
        client.create_experiment(name, artifact_location=location, tags={STUDY_TAG: study.uuid})
    return client.get_experiment_by_name(name)


def _get(client: Any, experiment_id: str) -> Any | None:
    with passing_over("RESOURCE_DOES_NOT_EXIST"):
        return client.get_experiment(experiment_id)
    return None


def _is_ours(experiment: Any | None, study: StudyRow) -> bool:
    return experiment is not None and experiment.tags.get(STUDY_TAG) == study.uuid


def _restored(client: Any, experiment: Any) -> str:
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
