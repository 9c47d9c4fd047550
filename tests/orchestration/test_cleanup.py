from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpo.orchestration.cleanup import best_first, clean
from hpo.study.records import TrialRow
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import TrialState

NOTHING: dict[str, Any] = {
    "counts": True,
    "baseline": False,
    "params": {},
    "metrics": {},
    "reason": None,
    "detail": "",
    "epochs": 3,
    "worker": None,
    "started": None,
    "finished": None,
    "duration_s": None,
    "mlflow_run_id": None,
    "operating_point": None,
    "train": {},
}


CHECKPOINTED = {"best.pt", "last.pt", "checkpoint-00003.pt", "checkpoint-00003.json"}


def row(
    folder: Path, number: int, state: TrialState, value: float | None = None, *, ordinal: int | None = None
) -> TrialRow:
    """A trial whose one attempt has written all its weights."""
    paths = AttemptPaths.of(folder, number, 1)
    paths.best.parent.mkdir(parents=True)
    for file in (paths.best, paths.last, paths.results, paths.log):
        file.write_text(file.name)
    checkpoints.write(paths.checkpoints, 3, "token", lambda file: file.write(b"state"))
    ordinal = number if ordinal is None else ordinal
    return TrialRow(number=number, ordinal=ordinal, state=state, value=value, folder=str(paths.folder), **NOTHING)


def weights(folder: Path, number: int) -> set[str]:
    return {path.name for path in AttemptPaths.of(folder, number, 1).best.parent.iterdir()}


def test_best_pt_of_the_best_so_many_stays_and_of_equals_the_earlier(tmp_path: Path) -> None:
    values = [0.3, 0.5, 0.4, 0.4]
    rows = [row(tmp_path, number, TrialState.COMPLETE, value) for number, value in enumerate(values)]
    assert [trial.number for trial in best_first(rows)] == [1, 2, 3, 0]
    assert clean(tmp_path, rows, keep=2) == [0, 3]
    assert [weights(tmp_path, number) for number in range(4)] == [set(), {"best.pt"}, {"best.pt"}, set()]


def test_what_says_how_a_trial_went_always_stays(tmp_path: Path) -> None:
    pruned = row(tmp_path, 0, TrialState.PRUNED)
    clean(tmp_path, [pruned], keep=5)
    paths = AttemptPaths.of(tmp_path, 0, 1)
    assert weights(tmp_path, 0) == set()
    assert paths.results.exists()
    assert paths.log.exists()


@pytest.mark.parametrize("state", [TrialState.WAITING, TrialState.RUNNING])
def test_nothing_that_can_still_be_resumed_is_touched(tmp_path: Path, state: TrialState) -> None:
    """Nor what its dead forerunner of the same ordinal left: the checkpoint lies there."""
    dead = row(tmp_path, 0, TrialState.FAIL)
    retry = row(tmp_path, 1, state, ordinal=0)
    assert clean(tmp_path, [dead, retry], keep=5) == []
    assert weights(tmp_path, 0) == weights(tmp_path, 1) == CHECKPOINTED


def test_cleaning_twice_says_nothing_new(tmp_path: Path) -> None:
    rows = [row(tmp_path, number, TrialState.COMPLETE, 0.1) for number in range(3)]
    assert clean(tmp_path, rows, keep=1) == [1, 2]
    assert clean(tmp_path, rows, keep=1) == []
