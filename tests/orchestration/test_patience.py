"""A worker during an outage of its database."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from hpo.errors import StorageUnavailable
from hpo.orchestration.heartbeat import heartbeat
from hpo.orchestration.patience import Patience
from hpo.orchestration.stop import StopRequest


class Away:
    """A call that succeeds after a number of failures."""

    def __init__(self, calls: int, *, lasting: bool = False) -> None:
        self.left = calls
        self._lasting = lasting

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise StorageUnavailable("away", lasting=self._lasting)
        return "here"


def test_a_call_is_made_again_until_it_is_answered() -> None:
    assert Patience(60, 60, StopRequest()).call(Away(2)) == "here"


def test_a_worker_that_begins_waits_for_what_passes_and_for_nothing_else() -> None:
    assert Patience(60, 60, StopRequest()).begin(Away(2)) == "here"
    refused = Away(1, lasting=True)
    with pytest.raises(StorageUnavailable):
        Patience(60, 60, StopRequest()).begin(refused)
    assert Patience(60, 60, StopRequest()).call(Away(1, lasting=True)) == "here", "what was measured is told later"


def test_patience_ends() -> None:
    start = time.monotonic()
    with pytest.raises(StorageUnavailable):
        Patience(1.0, 60, StopRequest()).call(Away(1000))
    assert 1.0 <= time.monotonic() - start < 10


def test_whoever_was_asked_to_stop_waits_for_the_grace_alone() -> None:
    stop = StopRequest()
    stop.ask(signal.SIGTERM)
    with pytest.raises(StorageUnavailable):
        Patience(3600, 0.5, stop).call(Away(1000))
    stop.ask(signal.SIGINT)  # a second SIGTERM within a second is the first one, sent twice
    with pytest.raises(StorageUnavailable):
        Patience(3600, 3600, stop).call(Away(1000))


def test_a_heartbeat_outlives_every_error_and_ends_with_its_block() -> None:
    beats: list[int] = []
    enough = threading.Event()

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) >= 6:
            enough.set()
        raise (StorageUnavailable("away") if len(beats) % 2 else RuntimeError("a bug"))

    with heartbeat(beat, 0.01):
        assert enough.wait(30)
    before = len(beats)
    time.sleep(0.1)
    assert len(beats) == before
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
