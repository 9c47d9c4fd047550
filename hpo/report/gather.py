"""Reading of a report's facts from the database and, if they are on this machine, from the data and the
winner's files.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from hpo.dataset.boxes import BoxFacts, box_facts, pictures
from hpo.dataset.description import describe
from hpo.dataset.summary import DatasetSummary
from hpo.errors import HpoError, UsageError
from hpo.report.facts import Report, cost, settings
from hpo.study.database.storage import Storage
from hpo.study.plots.importance import importances
from hpo.study.records import StudyRow
from hpo.study.studies import places, snapshot
from hpo.trial.vocabulary import TrialState

log = logging.getLogger(__name__)


def gather(storage: Storage, study: StudyRow, *, data: Path | None = None, verdict: tuple[str, ...] = ()) -> Report:
    """Read the facts of a report.

    ``data`` is the data.yaml if it is at no place that is known. Raises ``UsageError`` if no trial is
    complete: there is nothing to report yet.
    """
    rows = snapshot.trials(storage, study)
    status = snapshot.status(storage, study, rows)
    if status.best is None:
        raise UsageError(f"study {study.name!r} has no complete trial yet; see: hpo status {study.name}")
    baseline = next((row for row in rows if row.baseline and row.state is TrialState.COMPLETE), None)
    boxes, shown = _pictures_of(study, places.data(storage, study, data), storage.home)
    return Report(
        study=study,
        status=status,
        trials=tuple(rows),
        winner=status.best,
        baseline=baseline,
        settings=settings(study.spec, status.best, baseline),
        importances=importances(study.spec, rows),
        cost=cost(rows, status.best, baseline),
        boxes=boxes,
        verdict=verdict,
        written_at=datetime.now(UTC),
        pictures=shown,
    )


def _pictures_of(study: StudyRow, yaml: Path, home: Path | None) -> tuple[BoxFacts | None, tuple[str, ...]]:
    """Return facts and pictures of the study's data; nothing if it is not on this machine, or has changed."""
    try:
        if describe(yaml, home and home / "cache").fingerprint != study.identity.data_fingerprint:
            return None, ()
    except (HpoError, OSError) as error:
        log.debug("the report shows no images: %s", error)
        return None, ()
    return _look_at_data(yaml, DatasetSummary.files_left_out(study.facts.dataset))


def _look_at_data(yaml: Path, left_out: Collection[str] = ()) -> tuple[BoxFacts | None, tuple[str, ...]]:
    """Return facts and pictures of the data; nothing if it can't be read: the report then says that it is missing."""
    try:
        return box_facts(yaml, left_out=left_out), pictures(yaml, left_out=left_out)
    except (HpoError, OSError) as error:
        log.debug("the report shows no images: %s", error)
        return None, ()
