"""Stop requests by signals. After one, trials are given back at their next epoch; after two, at once."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

UNATTENDED = (signal.SIGTERM, signal.SIGHUP)
"""Signals that a person need not have sent: a scheduler, or a terminal that closes."""
ECHO_S = 1.0
"""Seconds after an unattended signal in which another one is the same request: GNU ``timeout`` sends one to its child
and one to its group, and a job's signal reaches a worker directly and by way of its parent.
"""


class StopRequest:
    """How urgently to stop.

    Signal handlers only count here, so that no transaction is interrupted.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.at = 0.0
        """Monotonic time of the first request, in seconds; 0 before it."""
        self.signal: int | None = None
        self._unattended_at = float("-inf")

    @property
    def soon(self) -> bool:
        """Return whether no new trial may begin. Running trials end at their next epoch and are given back."""
        return self.asked >= 1

    @property
    def now(self) -> bool:
        """Return whether running trials are killed, and given back with their last checkpoint."""
        return self.asked >= 2

    @property
    def exit_code(self) -> int:
        return 0 if self.signal is None else 128 + self.signal

    def give_up(self) -> None:
        """Request a stop at once, as after two signals, because nothing can be stored any more."""
        self.asked = 2

    def ask(self, signum: int) -> bool:
        """Count a request; return False where it is the echo of the one before."""
        if signum in UNATTENDED:
            now = time.monotonic()
            if now - self._unattended_at < ECHO_S:
                return False
            self._unattended_at = now
        self.at = self.at or time.monotonic()
        self.asked += 1
        self.signal = self.signal or signum
        return True


class Orders:
    """What a running trial has to obey: this process's signals, and the control of the study."""

    def __init__(self, stop: StopRequest, cancelled: Callable[[], bool], grace_s: float) -> None:
        self._stop = stop
        self._cancelled = cancelled
        self._grace_s = grace_s
        self._cancelled_at: float | None = None

    @property
    def soon(self) -> bool:
        """Return whether the trial is to be given back at its next epoch."""
        if self._cancelled_at is None and self._cancelled():
            self._cancelled_at = time.monotonic()
        return self._stop.soon or self._cancelled_at is not None

    @property
    def now(self) -> bool:
        """Return whether the trial is to be given back at once.

        That is so after two requests, or ``grace_s`` seconds after SIGTERM, SIGHUP or ``hpo cancel``. One Ctrl-C alone
        never sets a time limit.
        """
        if self._stop.now:
            return True
        since = [self._cancelled_at] if self.soon and self._cancelled_at is not None else []
        since += [self._stop.at] if self._stop.signal in UNATTENDED else []
        return any(time.monotonic() - at > self._grace_s for at in since)


Stopping = StopRequest | Orders
"""Says how urgently an attempt is to end.

Both answers may change at any time, from False to True only. Several threads ask, and asking is cheap.
"""


@contextmanager
def on_signals(stop: StopRequest, forward: Callable[[int], None] = lambda _signum: None) -> Iterator[StopRequest]:
    """Count SIGINT, SIGTERM and SIGHUP in ``stop`` while the block runs, and print what follows (main thread only).

    ``forward`` is called with each signal too. SIGHUP stays ignored where it was (``nohup``).
    """

    def handler(signum: int, _frame: FrameType | None) -> None:
        counted = stop.ask(signum)
        forward(signum)
        _leave_closed_terminal()
        if counted:
            # write once to the descriptor: a signal handler must not enter buffered output again
            said = b"\nstopping now\n" if stop.now else b"\nstopping at the next epoch; once more to stop at once\n"
            with suppress(OSError):  # nobody reads it any more
                os.write(2, said)

    is_kept_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    followed = (signal.SIGINT, signal.SIGTERM) if is_kept_ignored else (signal.SIGINT, *UNATTENDED)
    before = {signum: signal.signal(signum, handler) for signum in followed}
    try:
        yield stop
    finally:
        for signum, old in before.items():
            signal.signal(signum, old)


def _leave_closed_terminal() -> None:
    """Send output for a terminal that has closed nowhere: each write to it would fail and end the worker."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with suppress(OSError):
            is_device = stat.S_ISCHR(os.fstat(descriptor).st_mode)
            if is_device and not os.isatty(descriptor):  # closed; nothing changes for the null device
                os.dup2(null, descriptor)
    os.close(null)
