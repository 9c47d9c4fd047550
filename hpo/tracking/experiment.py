"""Choice of the MLflow experiment for a study."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpo.errors import ExperimentMoved, StudyConflict
from hpo.study.records import StudyRow
from hpo.tracking.client import passing_over
from hpo.tracking.content import STUDY_TAG
from hpo.tracking.locations import LEFT_TAG, lies_elsewhere


def begin_again(client: Any, study: StudyRow, artifact_root: Path | None) -> None:
    """Give the study's experiments other names: ``find_or_create`` then makes a new one. They stay as they are."""
    for experiment in _known(client, study):
        if _is_ours(experiment, study) and lies_elsewhere(experiment.artifact_location, artifact_root):
            said = f"{experiment.name} (until {datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f})"
            client.set_experiment_tag(_restored(client, experiment), LEFT_TAG, str(artifact_root))
            client.rename_experiment(experiment.experiment_id, said)


def find_or_create(client: Any, study: StudyRow, artifact_root: Path | None) -> str:
    """Return the id of the study's experiment: the stored one, or one found by name, or a new one.

    An experiment belongs to the study if the study's uuid is in its tag. If another experiment has the study's name (of
    another study, or not made by ``hpo``), ``<name>-<first 8 of the uuid>`` is used. A deleted experiment of this study
    is restored, because MLflow never frees its name.

    Raises ``ExperimentMoved`` if the experiment's files would be written outside of ``artifact_root``.
    """
    stored = _get(client, study.mlflow_experiment_id) if study.mlflow_experiment_id else None
    if _is_ours(stored, study) and not _was_left(stored):
        return _here(client, stored, study, artifact_root)
    names = _names(study)
    for name in names:
        experiment = client.get_experiment_by_name(name) or _create(client, name, study, artifact_root)
        if _is_ours(experiment, study):
            return _here(client, experiment, study, artifact_root)
    taken = f"MLflow experiments {names[0]!r} and {names[1]!r} belong to something else"
    raise StudyConflict(study.name, [taken], "rename one of them in MLflow, then run `hpo sync`")


def _names(study: StudyRow) -> tuple[str, str]:
    return study.name, f"{study.name}-{study.uuid[:8]}"


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


def _known(client: Any, study: StudyRow) -> list[Any]:
    stored = _get(client, study.mlflow_experiment_id) if study.mlflow_experiment_id else None
    named = [client.get_experiment_by_name(name) for name in _names(study)]
    found = {each.experiment_id: each for each in (stored, *named) if each is not None}
    return [each for each in found.values() if not _was_left(each)]


def _was_left(experiment: Any) -> bool:
    return LEFT_TAG in experiment.tags


def _here(client: Any, experiment: Any, study: StudyRow, artifact_root: Path | None) -> str:
    if lies_elsewhere(experiment.artifact_location, artifact_root):
        raise ExperimentMoved(
            f"MLflow keeps the files of study {study.name!r} at {experiment.artifact_location}, which is not below "
            f"{artifact_root}: HPO_HOME has moved; nothing is written there. Write the study to a new experiment here: "
            f"hpo sync {study.name} --again"
        )
    return _restored(client, experiment)


def _restored(client: Any, experiment: Any) -> str:
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
