"""Choice of the files of an attempt that belong in its MLflow run, and upload and deletion to match them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.files import digest
from hpo.study.records import StudyRow, TrialRow
from hpo.studyfile.schema import Plots
from hpo.studyfile.serialize import dump_yaml
from hpo.tracking.client import repository
from hpo.tracking.locations import stays_below
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import TrialState

MANIFEST_TAG = "hpo.artifacts"
"""Tag of a run: JSON object, artifact path -> first 16 hex digits of its sha256."""
_PICTURES = {".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class Artifact:
    """A file to upload (``content`` is its path) or a text to write."""

    path: str
    """Path inside the run's artifacts, with ``/``."""
    content: Path | str
    digest: str
    """First 16 hex digits of the sha256."""


def of_trial(trial: TrialRow, plots: Plots) -> tuple[Artifact, ...] | None:
    """Return the artifacts of a complete trial, from the folder of its newest attempt.

    They are args.yaml, results.csv, best.pt while it is kept, the result of a sweep with its picture, and the pictures
    of the training if the study asks for plots. Returns None if the artifacts are not known: the trial is not complete,
    or the folder of its newest attempt is on another machine (a folder with the same path that another attempt wrote
    does not count). The run's artifacts are then left as they are.
    """
    if trial.state is not TrialState.COMPLETE or not trial.attempts:
        return None
    newest = trial.attempts[-1]
    paths = AttemptPaths(Path(newest.folder))
    if not paths.belongs_to(newest.token):
        return None
    found = (paths.operating_point, paths.predict, paths.sweep_plot)
    files = {path.name: path for path in (paths.best, paths.args, paths.results, *found)}
    if plots != "none":
        pictures = sorted(path for path in paths.folder.iterdir() if path.suffix.lower() in _PICTURES)
        files |= {f"plots/{path.name}": path for path in pictures if path not in found}
    digests = {name: file_digest(path) for name, path in files.items()}
    return tuple(Artifact(name, files[name], digest) for name, digest in digests.items() if digest is not None)


def of_study(study: StudyRow) -> tuple[Artifact, ...]:
    """Return the artifacts that describe the study: its file, the model's YAML, the dataset's summary."""
    dataset = json.dumps(study.facts.dataset, indent=2, sort_keys=True, default=str)
    texts = {"study.yaml": dump_yaml(study.spec), "dataset.json": dataset, "model.yaml": study.facts.model_yaml}
    known = {name: text for name, text in texts.items() if text is not None}
    return tuple(Artifact(name, text, hashlib.sha256(text.encode()).hexdigest()[:16]) for name, text in known.items())


def manifest(artifacts: tuple[Artifact, ...]) -> str:
    """Return the value of ``MANIFEST_TAG``: at most 8000 characters, enough for 200 files."""
    return json.dumps({artifact.path: artifact.digest for artifact in artifacts}, sort_keys=True)


def mirror(client: Any, run: Any, artifacts: tuple[Artifact, ...], stored: Mapping[str, str]) -> None:
    """Upload what is new or changed against ``stored`` (the run's manifest), and delete what is gone from disk.

    The manifest is a tag, which whoever reaches MLflow may change: what it names outside of the run's artifacts stays.
    """
    for artifact in artifacts:
        if stored.get(artifact.path) != artifact.digest:
            _upload(client, run.run_id, artifact)
    gone = sorted(filter(stays_below, set(stored) - {artifact.path for artifact in artifacts}))
    if gone:
        kept = repository(run.artifact_uri, client.tracking_uri)
        for path in gone:
            kept.delete_artifacts(path)


def _upload(client: Any, run_id: str, artifact: Artifact) -> None:
    if isinstance(artifact.content, str):
        client.log_text(run_id, artifact.content, artifact.path)
        return
    folder, _, _ = artifact.path.rpartition("/")
    try:
        client.log_artifact(run_id, str(artifact.content), folder or None)
    except FileNotFoundError:
        if artifact.content.exists():
            raise
        # The file was cleaned up after it was listed; the clean-up makes the trial due again.


def file_digest(path: Path) -> str | None:
    """Return the digest, or None if the file does not exist (any more)."""
    try:
        return digest(path)[:16]
    except FileNotFoundError:
        return None
