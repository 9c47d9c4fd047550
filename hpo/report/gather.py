"""Reads what a report says from the database and, where they are here, from the data and the winner's files."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from hpo.dataset.boxes import BoxFacts, box_facts, pictures
from hpo.errors import HpoError, UsageError
from hpo.report.facts import Report, cost, settings
from hpo.study.database.storage import Storage
from hpo.study.plots.importance import importances
from hpo.study.records import StudyRow
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import TrialState

log = logging.getLogger(__name__)


def gather(storage: Storage, study: StudyRow, *, data: Path | None = None, verdict: tuple[str, ...] = ()) -> Report:
    """``data``: data.yaml where it is not at the place that the study names.

    Raises ``UsageError`` where no trial is complete: there is nothing to report yet.
    """
    rows = snapshot.trials(storage, study)
    status = snapshot.status(storage, study)
    if status.best is None:
        raise UsageError(f"study {study.name!r} has no complete trial yet; see: hpo status {study.name}")
    baseline = next((row for row in rows if row.baseline and row.state is TrialState.COMPLETE), None)
    boxes, shown = _look_at_data(data or Path(study.spec.data))
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


def _look_at_data(yaml: Path) -> tuple[BoxFacts | None, tuple[str, ...]]:
    """Nothing where the data is not on this machine: a report is written without it, and says so."""
    try:
        return box_facts(yaml), pictures(yaml)
    except (HpoError, OSError) as error:
        log.debug("the report shows no images: %s", error)
        return None, ()
