"""Projection in the background."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from hpo.errors import HpoError, StorageUnavailable
from hpo.settings import Settings
from hpo.tracking.projection import Projector
from hpo.tracking.thread import STUDY, Pace, ProjectionThread
from hpo.trial.vocabulary import Reason
from tests.tracking.support import UUID, Rows, make_rows, runs_by_key

PROMPT = Pace(trial_s=0, study_s=0, first_pause_s=0.01, longest_pause_s=0.05)
NEVER_S = 600.0
"""Pace so slow that only ``close`` writes before its time."""
LONGEST_S = 20.0
"""Longest wait in seconds for an expected event."""


class Tracker:
    """A projector for the thread: it answers, is down, refuses a trial, or hangs, as the test sets it."""

    def __init__(self) -> None:
        self.written: Counter[int] = Counter()
        self.asked: Counter[int] = Counter()
        self.drawn = 0
        self.down = False
        self.refused: set[int] = set()
        self.refusal: Exception = ValueError("it has no name that MLflow takes")
        self.open = threading.Event()
        self.open.set()
        self._changed = threading.Condition()

    def trial(self, number: int) -> None:
        self._write(number)

    def study(self) -> None:
        self._write(STUDY)

    def plots(self) -> None:
        self.open.wait()
        if self.down:
            raise StorageUnavailable("MLflow is down")
        with self._changed:
            self.drawn += 1
            self._changed.notify_all()

    def _write(self, number: int) -> None:
        with self._changed:
            self.asked[number] += 1
            self._changed.notify_all()
        self.open.wait()
        if self.down:
            raise StorageUnavailable("MLflow is down")
        if number in self.refused:
            raise self.refusal
        with self._changed:
            self.written[number] += 1
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, LONGEST_S)


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


def test_the_studys_run_is_written_first_and_last(tracker: Tracker) -> None:
    thread = ProjectionThread(tracker, Pace(trial_s=0, study_s=NEVER_S))
    tracker.wait_for(lambda: tracker.written[STUDY] == 1)
    thread.touch(0)
    assert thread.close(LONGEST_S) == 0
    assert tracker.written == {STUDY: 2, 0: 1}


def test_a_short_run_draws_no_plots(tracker: Tracker) -> None:
    thread = ProjectionThread(tracker, Pace(trial_s=0, study_s=0, plots_s=NEVER_S))
    for number in range(3):
        thread.touch(number)
    tracker.wait_for(lambda: tracker.written[2] == 1)
    assert thread.close(LONGEST_S) == 0
    assert tracker.drawn == 0


def test_plots_are_drawn_while_the_study_runs_and_at_its_end(tracker: Tracker) -> None:
    thread = ProjectionThread(tracker, Pace(trial_s=0, study_s=0, plots_s=0))
    thread.touch(0)
    tracker.wait_for(lambda: tracker.drawn == 1)
    assert thread.close(LONGEST_S) == 0
    assert tracker.drawn == 2


def test_touches_in_between_share_one_write(tracker: Tracker) -> None:
    thread = ProjectionThread(tracker, Pace(trial_s=NEVER_S, study_s=NEVER_S))
    thread.touch(0)
    tracker.wait_for(lambda: tracker.written[0] == 1)
    for _ in range(100):
        thread.touch(0)
    assert thread.close(LONGEST_S) == 0
    assert tracker.written[0] == 2


def test_a_touch_during_a_write_leads_to_another_write(tracker: Tracker) -> None:
    tracker.open.clear()
    thread = ProjectionThread(tracker, PROMPT)
    thread.touch(0)
    tracker.wait_for(lambda: tracker.asked[STUDY] == 1)
    tracker.open.set()
    tracker.wait_for(lambda: tracker.written[0] == 1)
    tracker.open.clear()
    thread.touch(0)
    tracker.wait_for(lambda: tracker.asked[0] == 2)
    thread.touch(0)
    tracker.open.set()
    assert thread.close(LONGEST_S) == 0
    assert tracker.written[0] == 3


def test_an_outage_is_waited_out_with_one_warning(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    tracker.down = True
    thread = ProjectionThread(tracker, PROMPT)
    for number in range(5):
        thread.touch(number)
    tracker.wait_for(lambda: tracker.asked.total() > 5)
    tracker.down = False
    tracker.wait_for(lambda: all(tracker.written[number] for number in range(5)))
    assert thread.close(LONGEST_S) == 0
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(messages) == 2
    assert "training goes on" in messages[0]
    assert "answers again" in messages[1]


def test_closing_during_an_outage_gives_up_at_once_and_counts_what_is_left(tracker: Tracker) -> None:
    tracker.down = True
    thread = ProjectionThread(tracker, Pace(first_pause_s=NEVER_S, longest_pause_s=NEVER_S))
    tracker.wait_for(lambda: tracker.asked[STUDY] == 1)
    thread.touch(3)
    thread.touch(4)
    begun = time.monotonic()
    assert thread.close(LONGEST_S) == 3
    assert time.monotonic() - begun < LONGEST_S / 2


def test_a_call_that_hangs_holds_close_no_longer_than_its_timeout(tracker: Tracker) -> None:
    tracker.open.clear()
    thread = ProjectionThread(tracker, PROMPT)
    tracker.wait_for(lambda: tracker.asked[STUDY] == 1)
    thread.touch(7)
    assert thread.close(0.05) == 2
    tracker.open.set()


def test_a_trial_that_mlflow_refuses_does_not_hold_up_the_others(
    tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    tracker.refused = {1}
    thread = ProjectionThread(tracker, PROMPT)
    for number in (0, 1, 2, 1):
        thread.touch(number)
    tracker.wait_for(lambda: bool(tracker.asked[1] and tracker.written[0] and tracker.written[2]))
    assert thread.close(LONGEST_S) == 1
    assert [record.getMessage() for record in caplog.records] == ["MLflow does not take trial 1; the rest goes on"]


def test_what_our_own_words_explain_is_said_without_a_trace(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    """A drawing that takes too long on a busy machine gives one line, not a trace."""
    tracker.refused, tracker.refusal = {1}, HpoError("not drawn within 300 s")
    with caplog.at_level(logging.WARNING):
        thread = ProjectionThread(tracker, PROMPT)
        thread.touch(1)
        thread.touch(2)
        assert thread.close(LONGEST_S) == 1
    (said,) = caplog.records
    assert said.getMessage() == "MLflow lacks trial 1 for now, `hpo sync` brings it: not drawn within 300 s"
    assert said.exc_info is None


def test_what_was_refused_once_is_tried_again_at_the_end(tracker: Tracker) -> None:
    tracker.refused = {1}
    thread = ProjectionThread(tracker, PROMPT)
    thread.touch(1)
    tracker.wait_for(lambda: tracker.asked[1] == 1)
    tracker.refused = set()
    assert thread.close(LONGEST_S) == 0
    assert tracker.written[1] == 1


def test_a_touch_never_waits(tracker: Tracker) -> None:
    tracker.open.clear()
    thread = ProjectionThread(tracker, PROMPT)
    tracker.wait_for(lambda: tracker.asked[STUDY] == 1)
    begun = time.monotonic()
    for number in range(1000):
        thread.touch(number)
    assert time.monotonic() - begun < 1
    tracker.open.set()
    assert thread.close(LONGEST_S) == 0


def test_trials_reach_a_real_store(projector: Callable[[Rows], Projector], settings: Settings) -> None:
    rows = make_rows([Reason.COMPLETE, Reason.PRUNED])
    thread = ProjectionThread(projector(rows))
    thread.touch(0)
    thread.touch(1)
    assert thread.close(60) == 0
    assert runs_by_key(settings) == {f"{UUID}/{name}": 1 for name in (0, 1, "study")}


def test_a_worker_starts_without_importing_mlflow() -> None:
    imports = "import sys, hpo.tracking.projection, hpo.tracking.thread, hpo.tracking.reader, hpo.tracking.ui"
    check = "sys.exit(any(name in sys.modules for name in ('mlflow', 'pandas', 'torch', 'optuna')))"
    assert subprocess.run([sys.executable, "-c", f"{imports}; {check}"], check=False).returncode == 0
