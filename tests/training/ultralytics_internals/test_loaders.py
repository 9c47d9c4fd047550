"""The processes that load a trial's images (on a GPU; on a CPU Ultralytics starts none)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial.messages import Answer, Ended, EpochReport
from hpo.trial.ports import TrialProcess
from hpo.trial.vocabulary import Reason
from tests.conftest import Talk
from tests.training import entries

LONGEST_S = 600


@pytest.fixture
def training(launcher: ForkserverLauncher, request_for: Any) -> Iterator[TrialProcess]:
    """Return a trial at the end of its first epoch, which waits for an answer."""
    process = launcher._spawn(entries.with_loader_processes, request_for().to_json())
    while not isinstance(message := process.receive(LONGEST_S), EpochReport):
        assert message is not None
    yield process
    process.kill()


def loaders(training: TrialProcess) -> list[psutil.Process]:
    return psutil.Process(training.pid).children(recursive=True)


def test_they_are_forked_and_import_nothing_anew(training: TrialProcess) -> None:
    own = psutil.Process(training.pid).cmdline()
    found = loaders(training)
    assert len(found) >= 2
    assert {process.ppid() for process in found} == {training.pid}, "none of them by way of another forkserver"
    assert all(process.cmdline() == own for process in found)


def test_they_do_not_hide_the_end_of_the_training(training: TrialProcess) -> None:
    for process in loaders(training):
        process.suspend()
    os.kill(training.pid, signal.SIGKILL)
    with pytest.raises(EOFError):
        training.receive(LONGEST_S)


def test_they_end_with_it(training: TrialProcess) -> None:
    found = loaders(training)
    training.kill()
    assert psutil.wait_procs(found, timeout=LONGEST_S)[1] == []


def test_none_is_left_of_a_trial_that_ends_by_itself_not_even_a_stuck_one(training: TrialProcess) -> None:
    """They are deaf to SIGTERM, with which Python and torch would end them."""
    found = loaders(training)
    for process in found:
        process.send_signal(signal.SIGTERM)
    found[0].suspend()
    training.answer(Answer.GIVE_BACK)
    while not isinstance(message := training.receive(LONGEST_S), Ended):
        assert message is not None
    assert message.reason is Reason.GIVEN_BACK
    with pytest.raises(EOFError):
        training.receive(LONGEST_S)
    assert psutil.wait_procs(found, timeout=10)[1] == [], "before anybody killed their group"


@pytest.mark.long
def test_the_best_trial_is_drawn_after_they_have_ended(launcher: ForkserverLauncher, request_for: Any) -> None:
    request = request_for({"epochs": 1, "close_mosaic": 0}, plots="best")
    talk = Talk(launcher._spawn(entries.with_loader_processes, request.to_json()))
    assert talk.ended.reason is Reason.COMPLETE
    drawn = {path.name for path in Path(request.folder).iterdir()}
    assert {"confusion_matrix.png", "val_batch0_pred.jpg", "results.png"} <= drawn
