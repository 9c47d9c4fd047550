"""Finished searches without a training, for tests of the later steps: fixtures that a package's conftest imports."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.confirmation import stage
from hpo.evidence.document import VerdictDocument
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import Facts, StudyRow, TrialRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, snapshot, verdicts
from hpo.studyfile.schema import Confirm
from tests.study.support import FACTS, IDENTITY, INSIDE, run, study_spec

SPLITS = {"train": {"images": 100}, "val": {"images": 20}}
WITH_SPLITS: Facts = replace(FACTS, dataset={"names": ["a", "b"], "splits": SPLITS})
Search = Callable[..., StudyRow]


def judged(storage: Storage, search: StudyRow, claim: str) -> TrialRow:
    """Return the trial that the stored verdict names: the worst one, which no search would call the best."""
    confirmed = stage.begin(storage, search, Confirm(top=3, seeds=2))
    worst = min((row for row in snapshot.trials(storage, search) if not row.baseline), key=lambda row: row.value or 0.0)
    verdicts.keep(storage, confirmed, "me", verdict(claim, winner=worst.number))
    return worst


def verdict(claim: str, winner: int = 1, sentence: str = "SAID") -> VerdictDocument:
    """Return a whole verdict, as an earlier version stored it."""
    return VerdictDocument.from_dict(
        {
            "claim": claim,
            "difference": 0.031,
            "low": 0.019,
            "high": 0.042,
            "seeds": 3,
            "winner": winner,
            "metric": "mAP50-95",
            "baseline": 0.5,
            "images": {"low": 0.01, "high": 0.05},
            "gain": {"training": 0.02, "operating_point": 0.011},
            "sd": 0.004,
            "detectable": 0.012,
            "needed": 2,
            "candidates": [{"trial": winner, "mean_on_val": 0.531}],
            "left_out": {"9": "1 of 3 runs came to nothing (run 5: crash)"},
            "split": "test",
            "look": 1,
            "within_noise": 4,
            "sentence": sentence,
        }
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "hpo.db"
    open_storage(f"sqlite:///{file}", create=True).close()
    return file


@pytest.fixture
def storage(template: Path, tmp_path: Path) -> Iterator[Storage]:
    shutil.copy(template, tmp_path / "hpo.db")
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=False) as opened:
        yield opened


@pytest.fixture
def searched(storage: Storage) -> Search:
    """Return a factory of searches that are run to their end, the baseline first."""

    def make(trials: int = 5, **changes: Any) -> StudyRow:
        spec = study_spec(trials=trials, baseline=True, sampler="tpe", **changes)
        study = lifecycle.create_or_join(storage, spec, IDENTITY, WITH_SPLITS)
        with WorkerSession(storage, study, "w", INSIDE) as session:
            run(session)
        return study

    return make
