"""A child that ends when its parent does, however the parent ends (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """For ``preexec_fn``: the kernel sends ``signum`` to the child when the thread that started it ends.

    So only the main thread may start it, and it stays in force over a change of user, which comes before.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # loaded here: after the fork nothing may be imported
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask
