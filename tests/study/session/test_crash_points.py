"""A real process killed with SIGKILL at every point between two transactions."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

import pytest

from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import dying_worker, invariants
from tests.study.support import OUTSIDE, MakeStudy, run, study_spec

SPAWNED = multiprocessing.get_context("spawn")
"""Not the forkserver: a process has one alone, and it belongs to the trials."""
RUNNING = ["adopted", "begun", "epoch", "checkpointed", "uploaded"]
"""Points at which a trial without a result runs: its death uses a retry."""
POINTS = [*RUNNING, "readmitted", "claimed", "asked", "suggested", "outcome", "retry_asked", "requeued", "settled"]
POINTS += ["given_back"]
SHORT = ("begun", "epoch", "uploaded", "claimed", "suggested", "outcome", "requeued")
"""The points of the short suite; the others are long tests."""


@pytest.fixture
def study(make_study: MakeStudy) -> StudyRow:
    return make_study(study_spec(pruner="hyperband", trials=4, retries=2, baseline=True))


def _die(storage: Storage, folder: Path, point: str) -> None:
    url = storage.url.render_as_string(hide_password=False)
    process = SPAWNED.Process(target=dying_worker.work, args=(url, folder, point))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=() if point in SHORT else pytest.mark.long) for point in POINTS]
)
def test_a_worker_killed_anywhere_loses_nothing(storage: Storage, study: StudyRow, tmp_path: Path, point: str) -> None:
    _die(storage, tmp_path, point)
    with WorkerSession(storage, study, "w", OUTSIDE) as session:
        session.reap()
        invariants.check(storage, study)
        rows = snapshot.trials(storage, study)
        assert not any(row.state is TrialState.RUNNING for row in rows)
        killed = [row for row in rows if row.reason is Reason.KILLED]
        assert len(killed) == (point in RUNNING)
        assert session.reap() == ()
        assert snapshot.trials(storage, study) == rows
        run(session)
        assert session.finished() == "budget spent"
    invariants.check_end(storage, study)


@pytest.mark.long
def test_a_repairer_that_is_killed_while_it_repairs_is_repaired(
    storage: Storage, study: StudyRow, tmp_path: Path
) -> None:
    _die(storage, tmp_path, "asked")
    for point in ("orphan", "epoch", "seized", "outcome", "retry_asked"):
        (tmp_path / point).mkdir()
        _die(storage, tmp_path / point, point)
    with WorkerSession(storage, study, "w", OUTSIDE) as session:
        session.reap()
        invariants.check(storage, study)
        run(session)
    invariants.check_end(storage, study)
