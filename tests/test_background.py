"""The queue of background work: each request is done or reported as left, and no caller waits for it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from typing_extensions import override

from hpo.background import Job, Queue
from hpo.retry import Backoff

LONGEST_S = 60.0
"""Longest wait in seconds for an expected event."""
NEVER_S = 3600.0
QUICK = Backoff(0.001, 0.002)


class Away(Exception):
    """An error that calls for a pause."""


class Refused(Exception):
    """An error that concerns one key only."""


class Work:
    """A queue's work in these tests: it can be down, refuse a key, or hang."""

    def __init__(self, backoff: Backoff = QUICK) -> None:
        self.away = False
        self.refused: set[int] = set()
        self.tried: Counter[int] = Counter()
        self.done: list[int] = []
        self.failures: list[tuple[int, bool]] = []
        self.recoveries = 0
        self.asked: Counter[int] = Counter()
        """Key -> number of times that it was put."""
        self.seen: dict[int, int] = {}
        """Key -> number of times that it had been put when it was last done."""
        self.undone: set[int] = set()
        """Keys that are left at the end."""
        self.open = threading.Event()
        self.open.set()
        self._changed = threading.Condition()
        self.queue = Queue(Job(self._do, self._failed, self._recovered, self._order), backoff, "queue-under-test")

    def put(self, key: int, due: float = 0.0) -> None:
        self.asked[key] += 1
        self.queue.put(key, due)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, LONGEST_S)

    def _do(self, key: int) -> None:
        asked = self.asked[key]
        with self._changed:
            self.tried[key] += 1
            self._changed.notify_all()
        self.open.wait()
        if self.away:
            raise Away
        if key in self.refused:
            raise Refused
        with self._changed:
            self.done.append(key)
            self.seen[key] = asked
            self._changed.notify_all()

    def _failed(self, key: int, error: Exception, first: bool) -> float | None:
        with self._changed:
            self.failures.append((key, first))
            self._changed.notify_all()
        return 0.0 if isinstance(error, Away) else None

    def _recovered(self) -> None:
        self.recoveries += 1

    def _order(self, key: int) -> int | None:
        return None if key in self.undone else -key


@pytest.fixture
def work() -> Work:
    return Work()


def test_what_is_asked_for_many_times_before_it_is_due_is_done_once(work: Work) -> None:
    for _ in range(100):
        work.put(1, time.monotonic() + NEVER_S)
    work.put(2)
    work.wait_for(lambda: work.done == [2])
    assert work.queue.close(LONGEST_S) == set()
    assert work.done == [2, 1]


def test_the_earlier_of_two_times_counts(work: Work) -> None:
    work.put(1, time.monotonic() + NEVER_S)
    work.put(1)
    work.put(1, time.monotonic() + NEVER_S)
    work.wait_for(lambda: 1 in work.done)
    work.queue.close(LONGEST_S)


def test_what_is_asked_for_while_it_is_done_is_done_again(work: Work) -> None:
    work.open.clear()
    work.put(1)
    work.wait_for(lambda: work.tried[1] == 1)
    work.put(1)
    work.open.set()
    assert work.queue.close(LONGEST_S) == set()
    assert work.done == [1, 1]


def test_asking_never_waits_and_never_raises(work: Work) -> None:
    work.open.clear()
    work.put(0)
    work.wait_for(lambda: work.tried[0] == 1)
    for key in range(1000):
        work.put(key)
    work.queue.drop(7)
    work.queue.drop(7)
    assert work.done == []
    work.open.set()
    assert work.queue.close(LONGEST_S) == set()
    assert 7 not in work.done
    assert work.queue.close(LONGEST_S) == set()
    work.put(8)
    assert work.done.count(8) == 1


def test_an_outage_loses_nothing_and_its_end_is_told_once(work: Work) -> None:
    work.away = True
    for key in range(5):
        work.put(key)
    work.wait_for(lambda: len(work.failures) > 5)
    work.away = False
    work.wait_for(lambda: set(work.done) == set(range(5)))
    assert work.queue.close(LONGEST_S) == set()
    assert [first for _, first in work.failures] == [True, *[False] * (len(work.failures) - 1)]
    assert work.recoveries == 1


def test_during_a_pause_nothing_is_tried_but_what_is_urgent() -> None:
    work = Work(Backoff(NEVER_S, NEVER_S))
    work.away = True
    work.put(1)
    work.wait_for(lambda: len(work.failures) == 1)
    work.put(2)
    assert work.queue.urge(3).wait(LONGEST_S)
    assert work.tried == {1: 1, 3: 1}
    work.away = False
    assert work.queue.urge(3).wait(LONGEST_S)
    assert work.queue.close(LONGEST_S) == set()
    assert work.recoveries == 1


def test_what_is_urgent_is_tried_again_where_it_is_being_done_already(work: Work) -> None:
    work.open.clear()
    work.put(1)
    work.wait_for(lambda: work.tried[1] == 1)
    tried = work.queue.urge(1)
    work.open.set()
    assert tried.wait(LONGEST_S)
    assert work.tried[1] == 2
    work.queue.close(LONGEST_S)


def test_a_key_that_is_refused_does_not_hold_up_the_others(work: Work) -> None:
    work.refused = {1}
    for key in (1, 2, 3):
        work.put(key)
    assert work.queue.close(LONGEST_S) == set()
    assert sorted(work.done) == [2, 3]
    assert work.failures == [(1, True)]


def test_at_the_end_everything_is_done_in_order_without_waiting_for_its_time(work: Work) -> None:
    work.undone = {2}
    for key in range(5):
        work.put(key, time.monotonic() + NEVER_S)
    assert work.queue.close(LONGEST_S, last=[9]) == set()
    assert work.done == [9, 4, 3, 1, 0]


def test_at_the_end_one_outage_is_enough_to_give_up() -> None:
    work = Work(Backoff(NEVER_S, NEVER_S))
    work.away = True
    work.put(1)
    work.wait_for(lambda: len(work.failures) == 1)
    work.put(2)
    assert work.queue.close(LONGEST_S) == {1, 2}
    assert work.tried.total() == 2


def test_work_that_hangs_holds_up_the_end_no_longer_than_allowed(work: Work) -> None:
    work.open.clear()
    work.put(1)
    work.wait_for(lambda: work.tried[1] == 1)
    work.put(2)
    assert work.queue.close(0.05) == {1, 2}
    work.open.set()


class Machine(RuleBasedStateMachine):
    """In any order of events, the newest request of a key is done after it was made, or reported as left."""

    keys = st.integers(0, 3)

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    @rule(key=keys, soon=st.booleans())
    def put(self, key: int, soon: bool) -> None:
        self.work.put(key, 0.0 if soon else time.monotonic() + NEVER_S)

    @rule(away=st.booleans())
    def outage(self, away: bool) -> None:
        self.work.away = away

    @rule(key=keys)
    def urge(self, key: int) -> None:
        assert self.work.queue.urge(key).wait(LONGEST_S)

    @override
    def teardown(self) -> None:
        work = self.work
        left = work.queue.close(LONGEST_S)
        assert not any(thread is work.queue._thread for thread in threading.enumerate())
        late = {key for key, asked in work.asked.items() if work.seen.get(key, 0) < asked}
        assert late <= left
        if not work.away:
            assert left == set()


def test_nothing_that_was_asked_for_is_lost() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=30, stateful_step_count=20, deadline=None))
