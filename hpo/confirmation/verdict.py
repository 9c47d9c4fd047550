"""The verdict of a finished stage: computed once, then read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.confirmation import record
from hpo.confirmation.groups import grouped
from hpo.confirmation.weights import RunWeights
from hpo.evidence.document import VerdictDocument
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.studies import lifecycle, snapshot

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions


@dataclass(frozen=True)
class MeasurementSetup:
    """Where predictions are made."""

    settings: Settings
    data: Path
    device: str
    by: str
    """Who looks."""
    progress: Callable[[int, int], None]
    """Told runs done, and runs in all."""


def reach(storage: Storage, stage: StudyRow, setup: MeasurementSetup) -> VerdictDocument:
    """The stage's verdict; computed at the first call, stored, and read ever after.

    So the test split is looked at once: a second look at other seeds would need another stage, and is counted.
    """
    known = record.stored(storage, stage)
    if known is not None:
        return known
    from hpo.confirmation.judging import Measurement, document, judge
    from hpo.evidence.verdict import within_noise

    groups = grouped(stage, snapshot.trials(storage, stage), RunWeights(setup.settings, stage).of)
    split = "test" if "test" in stage.facts.dataset["splits"] else "val"
    look = record.look(storage, stage, split, setup.by)
    found = judge((stage.spec, stage.plan), groups, split, _capture(stage, setup))
    search = lifecycle.load(storage, stage.searched_name)
    values = [row.value for row in snapshot.trials(storage, search) if row.value is not None and row.counts]
    measurement = Measurement(split, look, within_noise(values, found.verdict.sd))
    told = document(stage.spec, groups, found, measurement)
    record.keep(storage, stage, told, setup.by)
    return told


def _capture(stage: StudyRow, setup: MeasurementSetup) -> Callable[[Path, str], Predictions]:
    """Predictions as ``model.predict`` makes them; on val those that a swept training left are used."""
    from hpo.training.measuring.predictions import PredictionsRequest, captured

    runs, seen = len(stage.plan), 0

    def capture(weights: Path, split: str) -> Predictions:
        nonlocal seen
        setup.progress(seen, runs)
        seen += 1
        wanted = PredictionsRequest(weights, setup.data, split, None, "deploy", setup.device)
        return captured(wanted, setup.settings, keep=stage.spec.keep.caches)[0]

    return capture
