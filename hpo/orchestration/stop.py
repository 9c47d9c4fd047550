"""Ctrl-C and SIGTERM as requests: asked once, trials are given back at their next epoch; asked twice, at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """How urgently to stop. Signal handlers only count here, so that no transaction is ever cut in the middle."""

    def __init__(self) -> None:
        self.asked = 0
        self.at = 0.0
        """Monotonic time of the first request."""
        self.signal: int | None = None

    @property
    def soon(self) -> bool:
        """No new trial; running ones end at their next epoch and are given back."""
        return self.asked >= 1

    @property
    def now(self) -> bool:
        """Running ones are killed and given back with what their last checkpoint holds."""
        return self.asked >= 2

    @property
    def exit_code(self) -> int:
        return 0 if self.signal is None else 128 + self.signal

    def give_up(self) -> None:
        """As if asked twice, but by nobody: nothing can be stored any more."""
        self.asked = 2

    def ask(self, signum: int) -> None:
        self.at = self.at or time.monotonic()
        self.asked += 1
        self.signal = self.signal or signum


class Orders:
    """What a running trial has to obey: this process's signals, and what is wanted of the study."""

    def __init__(self, stop: StopRequest, cancelled: Callable[[], bool], grace_s: float) -> None:
        self._stop = stop
        self._cancelled = cancelled
        self._grace_s = grace_s
        self._cancelled_at: float | None = None

    @property
    def soon(self) -> bool:
        """The trial is to be given back at its next epoch."""
        if self._cancelled_at is None and self._cancelled():
            self._cancelled_at = time.monotonic()
        return self._stop.soon or self._cancelled_at is not None

    @property
    def now(self) -> bool:
        """At once: asked twice, or ``grace_s`` after SIGTERM or ``hpo cancel``. Who pressed Ctrl-C once will wait."""
        if self._stop.now:
            return True
        since = [self._cancelled_at] if self.soon and self._cancelled_at is not None else []
        since += [self._stop.at] if self._stop.signal == signal.SIGTERM else []
        return any(time.monotonic() - at > self._grace_s for at in since)


@contextmanager
def on_signals(stop: StopRequest, forward: Callable[[int], None] = lambda _signum: None) -> Iterator[StopRequest]:
    """Count SIGINT and SIGTERM in ``stop`` while the block runs, and say what follows (main thread only).

    ``forward`` is told of each signal too.
    """

    def handler(signum: int, _frame: FrameType | None) -> None:
        stop.ask(signum)
        forward(signum)
        # one write to the descriptor: buffered output must not be entered again from a signal handler
        os.write(2, b"\nstopping now\n" if stop.now else b"\nstopping at the next epoch; once more to stop at once\n")

    before = {signum: signal.signal(signum, handler) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, old in before.items():
            signal.signal(signum, old)
