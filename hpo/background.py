"""Work in the background: a thread that takes one key at a time and never blocks or fails its caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hpo.retry import Backoff

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Job(Generic[K]):
    """Callbacks of a queue for a key. The queue's thread calls them, one at a time."""

    do: Callable[[K], None]
    """Do the newest work of the key; may raise any ``Exception``."""
    failed: Callable[[K, Exception, bool], float | None]
    """Get the error of ``do``, and whether all work succeeded before. Return the monotonic time of the key's next try;
    the whole queue pauses until then. With None the key is dropped and the others go on.
    """
    recovered: Callable[[], None]
    """Called after the first success that follows a pause."""
    order: Callable[[K], int | None]
    """Return the key's position among the work left at the end, lowest first; with None it is left undone."""


class Queue(Generic[K]):
    """A daemon thread that works on keys. Each is done when it is due, once for all requests in between.

    All calls except ``close`` return at once, and none raises. While work fails, pauses grow as ``backoff`` says.
    """

    def __init__(self, job: Job[K], backoff: Backoff, name: str) -> None:
        self._job = job
        self._backoff = backoff
        self._changed = threading.Condition()
        self._due: dict[K, float] = {}
        """Key -> monotonic time before which it is not worked on."""
        self._urgent: dict[K, threading.Event] = {}
        self._in_hand: set[K] = set()
        self._failures = 0
        """Number of failures in a row, over all keys."""
        self._resume_at = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, key: K, due: float = 0.0) -> None:
        """Schedule ``key`` for monotonic time ``due``, or for its earlier time if it has one.

        A key that is being worked on right now is worked on once more. After ``close`` this does nothing.
        """
        with self._changed:
            if not self._closing:
                self._plan(key, due)
                self._changed.notify_all()

    def urge(self, key: K) -> threading.Event:
        """Work on ``key`` next, once, also during a pause; return an event that is set after that try."""
        with self._changed:
            tried = self._urgent.setdefault(key, threading.Event())
            self._changed.notify_all()
        return tried

    def drop(self, key: K) -> None:
        """Forget ``key``; work that runs on it is not interrupted."""
        with self._changed:
            self._due.pop(key, None)

    def close(self, within_s: float, last: Iterable[K] = ()) -> set[K]:
        """Do the work that is left and ``last``, in the job's order and without pauses, and end the thread.

        Waits for at most ``within_s`` seconds: work that hangs goes on in the daemon thread and ends with the process.
        After one failure that calls for a pause, the rest is given up. Returns the keys that were not done.
        """
        with self._changed:
            for key in last:
                self._plan(key, 0.0)
            self._closing = True
            self._changed.notify_all()
        self._thread.join(within_s)
        with self._changed:
            return {key for key in self._due if self._job.order(key) is not None} | self._in_hand

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            key, tried = taken
            goes_on = True
            try:
                self._job.do(key)
            except Exception as error:  # noqa: BLE001  (whatever it is, the owner's work goes on)
                goes_on = self._fail(key, error)
            else:
                self._succeed()
            if tried is not None:
                tried.set()
            if not goes_on:
                return

    def _next(self) -> tuple[K, threading.Event | None] | None:
        """Wait for a key; None when the thread is to end."""
        with self._changed:
            while True:
                key = next(iter(self._urgent), None)
                if key is None:
                    key = self._last() if self._closing else self._ripe()
                if key is not None:
                    self._due.pop(key, None)
                    self._in_hand = {key}
                    return key, self._urgent.pop(key, None)
                if self._closing:
                    return None
                self._changed.wait(self._until_next())

    def _ripe(self) -> K | None:
        now = time.monotonic()
        ripe = [key for key, due in self._due.items() if max(due, self._resume_at) <= now]
        return min(ripe, key=self._due.__getitem__, default=None)

    def _last(self) -> K | None:
        left = {key: order for key in self._due if (order := self._job.order(key)) is not None}
        return min(left, key=left.__getitem__, default=None)

    def _until_next(self) -> float | None:
        if not self._due:
            return None
        return max(min(self._due.values()), self._resume_at) - time.monotonic()

    def _succeed(self) -> None:
        with self._changed:
            self._in_hand = set()
            was_away, self._failures, self._resume_at = self._failures > 0, 0, 0.0
        if was_away:
            self._job.recovered()

    def _fail(self, key: K, error: Exception) -> bool:
        """Return whether the thread goes on."""
        due = self._job.failed(key, error, self._failures == 0)
        with self._changed:
            self._in_hand = set()
            if due is None:
                return True
            self._plan(key, due)
            self._failures += 1
            self._resume_at = time.monotonic() + self._backoff.pause_s(self._failures)
            return not self._closing

    def _plan(self, key: K, due: float) -> None:
        self._due[key] = min(due, self._due.get(key, due))
