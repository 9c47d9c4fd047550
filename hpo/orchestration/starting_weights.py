"""Starting weights for machines that lack them: uploaded once with the study, then fetched and verified by digest."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from hpo import files
from hpo.errors import HpoError, UsageError
from hpo.study.records import StudyRow
from hpo.trial.ports import CheckpointStore

log = logging.getLogger(__name__)
FOLDER = "weights"
"""Name of the folder in the study's place in the artifact store."""


def share(store: CheckpointStore, study: StudyRow, file: Path, remember: Callable[[str], None]) -> None:
    """Upload the weights ``file`` unless that was done; call ``remember`` with the location after the upload.

    It is no error if the store does not answer: a machine that has the file can work, and the next run of the study
    file tries again.
    """
    if study.facts.weights is not None:
        return
    try:
        remember(store.put(file, study.identity.model_sha256[:16]))
    except HpoError as error:
        log.warning("other machines can't fetch %s yet: %s", file.name, error)


def obtain(store: CheckpointStore | None, study: StudyRow, folder: Path, remembered: Path | None = None) -> Path | None:
    """Return the path of the study's weights on this machine, with the right content.

    The weights are where they were found last (``remembered``), where the study names them, or in ``folder``, or are
    fetched into it. None where they were never uploaded, so that they must come from elsewhere.

    Raises UsageError where the upload differs from the weights that the study was made with, or can't be fetched.
    """
    name, sha256 = Path(study.spec.model).name, study.identity.model_sha256
    kept = folder / sha256[:16] / name
    for file in (remembered, Path(study.spec.model), folder / name, kept):
        if file is not None and file.is_file() and files.digest(file) == sha256:
            return file.resolve()
    location = study.facts.weights
    if store is None or location is None:
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.written_aside(kept) as aside:
            store.fetch(location, aside)
            _verify(aside, study, f"put the right {name} at {kept} on this machine")
    except UsageError:
        raise
    except (HpoError, OSError) as error:
        raise UsageError(
            f"study {study.name!r}: its weights can't be fetched: {error}\nput {name} at {kept} on this machine"
        ) from error
    return kept


def _verify(fetched: Path, study: StudyRow, way_out: str) -> None:
    found, wanted = files.digest(fetched), study.identity.model_sha256
    if found != wanted:
        raise UsageError(
            f"study {study.name!r}: its weights at {study.facts.weights} have sha256 {found[:12]}, not {wanted[:12]}: "
            f"{way_out}"
        )
