"""Real processes that end, hang and die, as the worker sees them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hpo.errors import ClaimLost
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.orchestration.stop import Orders, StopRequest
from hpo.orchestration.trial import Supervisor
from hpo.training import environment
from hpo.trial import results
from hpo.trial.messages import Answer, Ended, EpochReport
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import TrialProcess
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason, Scalar
from tests.launchers import entries


@dataclass
class Notes:
    """A recorder that keeps its messages; prunes at ``prune_at``; calls ``at_epoch`` at each report."""

    prune_at: int | None = None
    at_epoch: Callable[[int], object] = lambda _epoch: None
    reports: list[int] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    effective: dict[str, Scalar] = field(default_factory=dict)
    resumed_from: int | None = None
    stages: set[str] = field(default_factory=set)
    peaks: list[float] = field(default_factory=list)
    lost_at: int | None = None

    @property
    def lost(self) -> bool:
        return self.lost_at is not None and self.lost_at in self.reports

    def started(self, effective: dict[str, Scalar], resumed_from: int) -> None:
        self.effective, self.resumed_from = effective, resumed_from

    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        self.stages.add(stage)
        assert epoch >= 0
        assert 0 <= fraction <= 1

    def took_memory(self, mib: float) -> None:
        self.peaks.append(mib)

    def report(self, report: EpochReport) -> Answer:
        self.reports.append(report.epoch)
        self.at_epoch(report.epoch)
        return Answer.PRUNE if report.epoch == self.prune_at else Answer.GO_ON

    def checkpointed(self, epoch: int) -> None:
        self.checkpoints.append(epoch)


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> ForkserverLauncher:
    home = tmp_path_factory.mktemp("home")
    return ForkserverLauncher(
        entries.misbehave, "hpo.training.ultralytics_internals.preload", environment.prepare(home)
    )


def follow(
    process: TrialProcess,
    notes: Notes | None = None,
    *,
    stop: Any = None,
    hung_s: float = 60,
    left: Callable[[], Ended | None] = lambda: None,
) -> Ended:
    return Supervisor(process, notes or Notes(), stop or StopRequest(), hung_s, left).follow()


@pytest.mark.parametrize(
    ("how", "reason"),
    [("exit", Reason.CRASH), ("segfault", Reason.CRASH), ("killed", Reason.KILLED), ("nothing", Reason.CRASH)],
)
def test_a_process_that_ends_without_a_word_has_a_reason(
    misbehaving: ForkserverLauncher, request_for: Any, how: str, reason: Reason
) -> None:
    assert follow(misbehaving.start(request_for(study=how))).reason is reason


@pytest.mark.parametrize("how", ["killed later", "silent later"])
def test_an_end_that_was_written_counts_whatever_becomes_of_the_process(
    misbehaving: ForkserverLauncher, request_for: Any, how: str
) -> None:
    """It may be drawing at that time."""
    request: TrialRequest = request_for(study=how)
    paths = AttemptPaths(Path(request.folder))
    paths.claim("token")
    ended = follow(misbehaving.start(request), hung_s=3.0, left=lambda: results.untold(paths, "token"))
    assert (ended.reason, ended.value) == (Reason.COMPLETE, 0.5)


def test_a_process_without_progress_is_hung_and_ended(misbehaving: ForkserverLauncher, request_for: Any) -> None:
    process = misbehaving.start(request_for(study="silent"))
    ended = follow(process, hung_s=0.5)
    assert ended.reason is Reason.HUNG
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.long
def test_a_training_that_makes_progress_is_not_hung(launcher: ForkserverLauncher, request_for: Any) -> None:
    """It takes longer than the limit."""
    notes, limit_s, epochs = Notes(), 8.0, 60
    start = time.monotonic()
    ended = follow(launcher.start(request_for(train={"epochs": epochs})), notes, hung_s=limit_s)
    assert ended.reason is Reason.COMPLETE
    assert notes.reports == list(range(1, epochs + 1))
    assert time.monotonic() - start > limit_s
    assert {"load", "train"} <= notes.stages
    assert notes.effective["batch"] == 8
    assert notes.peaks == sorted(notes.peaks)
    assert 100 < notes.peaks[-1] < 4000  # MiB, of a small training on a CPU


def test_a_stopped_process_is_hung(launcher: ForkserverLauncher, request_for: Any) -> None:
    process = launcher.start(request_for(train={"epochs": 50}))
    notes = Notes(at_epoch=lambda _epoch: os.kill(process.pid, signal.SIGSTOP))
    assert follow(process, notes, hung_s=1.0).reason is Reason.HUNG


def test_the_pruners_word_is_obeyed(launcher: ForkserverLauncher, request_for: Any) -> None:
    notes = Notes(prune_at=2)
    ended = follow(launcher.start(request_for()), notes)
    assert ended.reason is Reason.PRUNED
    assert notes.reports == [1, 2]


def test_one_request_to_stop_gives_back_at_the_next_epoch(launcher: ForkserverLauncher, request_for: Any) -> None:
    stop = StopRequest()
    notes = Notes(at_epoch=lambda _epoch: stop.ask(signal.SIGINT))
    ended = follow(launcher.start(request_for()), notes, stop=stop)
    assert ended.reason is Reason.GIVEN_BACK
    assert ended.epochs == 1
    assert notes.checkpoints == [1]


def test_two_requests_to_stop_end_at_once_with_what_the_checkpoint_holds(
    launcher: ForkserverLauncher, request_for: Any
) -> None:
    stop = StopRequest()
    process = launcher.start(request_for(train={"epochs": 500}))

    def ask_twice() -> None:
        stop.ask(signal.SIGINT)
        stop.ask(signal.SIGINT)

    threading.Timer(3.0, ask_twice).start()
    notes = Notes()
    ended = follow(process, notes, stop=stop)
    assert ended.reason is Reason.GIVEN_BACK
    assert ended.epochs == (notes.checkpoints[-1] if notes.checkpoints else 0)


def test_a_request_to_stop_in_the_last_epoch_lets_the_training_finish(
    launcher: ForkserverLauncher, request_for: Any
) -> None:
    stop = StopRequest()

    def ask_at_the_end(epoch: int) -> None:
        if epoch == 3:
            stop.ask(signal.SIGINT)

    notes = Notes(at_epoch=ask_at_the_end)
    assert follow(launcher.start(request_for()), notes, stop=stop).reason is Reason.COMPLETE


def test_a_trial_that_is_someone_elses_is_ended_at_once(launcher: ForkserverLauncher, request_for: Any) -> None:
    process = launcher.start(request_for(train={"epochs": 500}))
    with pytest.raises(ClaimLost):
        follow(process, Notes(lost_at=1))
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_sigterm_waits_for_the_epochs_end_no_longer_than_the_grace(
    launcher: ForkserverLauncher, request_for: Any
) -> None:
    stop = StopRequest()
    process = launcher.start(request_for(train={"epochs": 500}))
    notes = Notes()

    def freeze(epoch: int) -> None:
        if epoch == 2:
            os.kill(process.pid, signal.SIGSTOP)  # its third epoch never ends
            stop.ask(signal.SIGTERM)

    notes.at_epoch = freeze
    start = time.monotonic()
    ended = follow(process, notes, stop=Orders(stop, lambda: False, grace_s=1.0))
    assert ended.reason is Reason.GIVEN_BACK
    assert time.monotonic() - start < 60
    assert ended.epochs == (notes.checkpoints[-1] if notes.checkpoints else 0)


@pytest.mark.long
def test_a_cancelled_study_gives_back_at_the_next_epoch(launcher: ForkserverLauncher, request_for: Any) -> None:
    notes = Notes()
    orders = Orders(StopRequest(), lambda: 2 in notes.reports, grace_s=60)
    ended = follow(launcher.start(request_for(train={"epochs": 500})), notes, stop=orders)
    assert (ended.reason, notes.reports) == (Reason.GIVEN_BACK, [1, 2])
