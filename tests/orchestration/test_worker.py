"""A whole worker on a real database; the training is a fake if a real one would only take longer."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
from typing_extensions import override

from hpo.errors import HpoError
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.study.studies.progress import Control
from hpo.trial.ports import TrialProcess
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.node import Nobody
from tests.study.session import invariants
from tests.study.support import FACTS, IDENTITY, study_spec


@pytest.fixture
def study(storage: Storage) -> StudyRow:
    return create_or_join(storage, study_spec(trials=6, retries=1, lease_s=2.0), IDENTITY, FACTS)


def work(storage: Storage, study: StudyRow, folder: Path, launcher: FakeLauncher, stop: StopRequest) -> None:
    slots = ("cpu", "cpu")
    with WorkerSession(storage, study, Life("w", slots), None) as session:
        services = Services(session, launcher, Nobody(), Nobody(), storage)
        Worker(study, Workspace(folder, "m.yaml", folder / "data.yaml", None, slots), services, stop).run()


class Listening(FakeLauncher):
    """Launcher that keeps the requests that it gets."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(pace)
        self.asked: list[TrialRequest] = []

    @override
    def start(self, request: TrialRequest) -> TrialProcess:
        self.asked.append(request)
        return super().start(request)


def test_slots_train_side_by_side(storage: Storage, study: StudyRow, tmp_path: Path) -> None:
    launcher = Listening(Pace(4, 0.05))
    work(storage, study, tmp_path, launcher, StopRequest())
    invariants.check_end(storage, study)
    assert {request.sharing for request in launcher.asked} == {2}, "the cores, between two"
    attempts = [attempt for row in snapshot.trials(storage, study) for attempt in row.attempts]
    assert {attempt.slot for attempt in attempts} == {0, 1}
    first, second = (next(a for a in attempts if a.slot == slot) for slot in (0, 1))
    assert first.ended_at is not None
    assert second.started_at < first.ended_at


def test_a_trial_that_dies_each_time_fails_for_good_after_its_retries(
    storage: Storage, study: StudyRow, tmp_path: Path
) -> None:
    work(storage, study, tmp_path, FakeLauncher(Pace(4, 0.01, crash_rate=1.0)), StopRequest())
    rows = snapshot.trials(storage, study)
    assert [row.reason for row in rows] == [Reason.CRASH] * 12  # each trial is retried once
    assert sum(row.counts for row in rows) == 6
    invariants.check_end(storage, study)


def test_a_worker_on_which_nothing_begins_takes_no_more_trials_and_says_why(
    storage: Storage, study: StudyRow, tmp_path: Path
) -> None:
    with pytest.raises(HpoError, match="before their first epoch"):
        work(storage, study, tmp_path, FakeLauncher(Pace(1, 0.01, crash_rate=1.0)), StopRequest())
    assert snapshot.status(storage, study).budget.counted < 6
    assert snapshot.status(storage, study).control == Control.RUN


def test_sigterm_gives_every_running_trial_back_without_a_retry(
    storage: Storage, study: StudyRow, tmp_path: Path
) -> None:
    stop = StopRequest()
    threading.Timer(1.5, lambda: stop.ask(signal.SIGTERM)).start()
    work(storage, study, tmp_path, FakeLauncher(Pace(1000, 0.05)), stop)
    status = snapshot.status(storage, study)
    assert {state.value: count for state, count in status.counts.items() if count} == {"WAITING": 2}
    assert status.workers == ()
    before = [row.epochs for row in snapshot.trials(storage, study)]
    assert all(before)
    work(storage, study, tmp_path, FakeLauncher(Pace(max(before) + 2, 0.01)), StopRequest())
    rows = snapshot.trials(storage, study)
    assert [row.attempts[1].resumed_from for row in rows[:2]] == before
    invariants.check_end(storage, study)


def test_a_cancelled_study_sends_its_worker_away(storage: Storage, study: StudyRow, tmp_path: Path) -> None:
    cancel = threading.Timer(1.5, lambda: controls.set_control(storage, study, Control.CANCEL, "me"))
    cancel.start()
    start = time.monotonic()
    work(storage, study, tmp_path, FakeLauncher(Pace(1000, 0.05)), StopRequest())
    assert time.monotonic() - start < 60
    rows = snapshot.trials(storage, study)
    assert [row.attempts[0].reason for row in rows] == [Reason.GIVEN_BACK] * 2
