"""A worker with nothing to do."""

from __future__ import annotations

import time
from pathlib import Path

from hpo.orchestration.idling import PAUSES, Idling
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, snapshot
from hpo.study.studies.progress import Control
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.node import Nobody


class Watch:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_looks_for_work_less_and_less_often_until_it_finds_some() -> None:
    idling = Idling(None)
    pauses = [idling.nothing(trains=False) for _ in range(20)]
    assert pauses[0] <= PAUSES.first_s
    assert all(PAUSES.longest_s / 2 <= pause <= PAUSES.longest_s == 15.0 for pause in pauses[5:])
    idling.found()
    assert idling.nothing(trains=False) <= PAUSES.first_s


def test_an_idle_worker_leaves_on_time_and_one_with_a_trial_never() -> None:
    watch = Watch()
    idling = Idling(20.0, watch)
    for _ in range(100):
        idling.nothing(trains=True)
        watch.now += 10
        assert not idling.leaves
    idling.found()
    while not idling.leaves:
        watch.now += max(idling.nothing(trains=False), 0.01)
    assert 1020.0 <= watch.now < 1020.1


def test_without_the_option_an_idle_worker_stays() -> None:
    watch = Watch()
    idling = Idling(None, watch)
    idling.nothing(trains=False)
    watch.now = 1e9
    assert not idling.leaves


def test_a_worker_on_a_paused_study_leaves_after_the_seconds_that_it_was_given(
    storage: Storage, study: StudyRow, tmp_path: Path
) -> None:
    controls.set_control(storage, study, Control.PAUSE, "me")
    stop, workspace = StopRequest(), Workspace(tmp_path, "m.yaml", tmp_path / "data.yaml", None, ("cpu",))
    began = time.monotonic()
    with WorkerSession(storage, study, Life("w", ("cpu",)), None) as session:
        services = Services(session, FakeLauncher(Pace(1, 0.1)), Nobody(), Nobody(), storage)
        Worker(study, workspace, services, stop, leave_idle_s=1.0).run()
    assert time.monotonic() - began >= 1.0
    assert stop.exit_code == 0
    assert snapshot.trials(storage, study) == []
