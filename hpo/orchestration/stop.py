"""Ctrl-C and SIGTERM as requests: asked once, trials are given back at their next epoch; asked twice, at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """How urgently to stop. Signal handlers only count here, so that no transaction is ever cut in the middle."""

    def __init__(self) -> None:
        self.asked = 0
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

    def ask(self, signum: int) -> None:
        self.asked += 1
        self.signal = self.signal or signum


@contextmanager
def on_signals(stop: StopRequest) -> Iterator[StopRequest]:
    """Count SIGINT and SIGTERM in ``stop`` while the block runs, and say what follows (main thread only)."""

    def handler(signum: int, _frame: FrameType | None) -> None:
        stop.ask(signum)
        # one write to the descriptor: buffered output must not be entered again from a signal handler
        os.write(2, b"\nstopping now\n" if stop.now else b"\nstopping at the next epoch; once more to stop at once\n")

    before = {signum: signal.signal(signum, handler) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, old in before.items():
            signal.signal(signum, old)
