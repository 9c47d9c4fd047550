"""The verdict of a finished stage: computed once, then read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.confirmation import record, weights
from hpo.confirmation.groups import grouped
from hpo.evidence.document import VerdictDocument
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.studies import lifecycle, snapshot, verdicts
from hpo.studyfile.planning.extent import trained_classes

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions


@dataclass(frozen=True)
class MeasurementSetup:
    """Paths and callbacks for the computation of predictions."""

    settings: Settings
    data: Path
    device: str
    by: str
    """Name of the process that looks at the split."""
    progress: Callable[[int, int], None]
    """Callback that gets the number of runs done, and of all runs."""


def reach(storage: Storage, stage: StudyRow, setup: MeasurementSetup) -> VerdictDocument:
    """Return the stage's verdict. The first call computes and stores it; later calls read it.

    So the test split is looked at once: a second look at other seeds needs another stage, and is counted.
    """
    before = verdicts.stored(storage, stage)
    if before is not None:
        return before
    from hpo.confirmation import copied
    from hpo.confirmation.judging import Measurement, document, judge
    from hpo.evidence.verdict import within_noise

    groups = grouped(stage, snapshot.trials(storage, stage), partial(weights.of_run, setup.settings, stage))
    split = "test" if "test" in stage.facts.dataset["splits"] else "val"
    look = record.look(storage, stage, split, setup.by)
    study = (stage.spec, stage.plan)
    found = judge(study, groups, split, _capture(stage, setup))
    again = _capture(stage, replace(setup, progress=lambda _done, _runs: None))  # from the cache
    known = copied.names(setup.data, split, setup.settings.cache)
    without = copied.without(study, groups, split, again, known)
    search = lifecycle.load(storage, stage.searched_name)
    values = [row.value for row in snapshot.trials(storage, search) if row.value is not None and row.counts]
    measurement = Measurement(split, look, within_noise(values, found.verdict.sd))
    told = document(stage.spec, groups, found, measurement)
    sentence = "; ".join([told.sentence, *stage.facts.data_notes])
    told = replace(told, sentence=sentence, without_copies=without)
    verdicts.keep(storage, stage, setup.by, told)
    return told


def _capture(stage: StudyRow, setup: MeasurementSetup) -> Callable[[Path, str], Predictions]:
    """Return a function for predictions as ``model.predict`` makes them; on val, those of a swept training are
    reused.
    """
    from hpo.training.measuring.predictions import PredictionsRequest, captured

    seen = count()

    def capture(file: Path, split: str) -> Predictions:
        setup.progress(next(seen), len(stage.plan))
        wanted = PredictionsRequest(file, setup.data, split, None, "deploy", setup.device)
        found, _ = captured(wanted, setup.settings, keep=stage.spec.keep.caches)
        return found.only(trained_classes(stage.spec))

    return capture
