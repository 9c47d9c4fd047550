"""Processes that end when their parent ends, in whatever way, and the commands that start Python."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG = 1
NO_FOLDER_OF_ITS_OWN = {"PYTHONSAFEPATH": "1"}
"""Variable for a process that starts Python by ``-c``, or whose children do; see ``python_command``."""


def python_command(module: str, *words: str) -> list[str]:
    """Return the command that runs a module with this Python.

    Python would look for every module that this one imports in the working folder first (``-P`` forbids it): a
    ``requests.py`` beside someone's data would run.
    """
    return [sys.executable, "-P", "-m", module, *words]


def end_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """Return a ``preexec_fn`` that has the kernel send ``signum`` to the child when its parent ends (Linux).

    The kernel binds the child to the thread that starts it, so only the main thread may call this. The binding survives
    a change of user, which comes before. A child whose parent has ended already ends at once. If the system has no such
    signal (``prctl``), the function does nothing: the child then outlives a killed parent.
    """
    prctl = _prctl()  # loaded here, because nothing may be imported after the fork
    parent = os.getpid()

    def tie() -> None:
        if prctl is None:
            return
        prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the kernel got the request
            os._exit(1)

    return tie


def end_with_pipe(lifeline: Connection) -> None:
    """Lead a new session, ignore Ctrl-C, and kill the whole group when the other end of ``lifeline`` is closed.

    This is for a child of a forkserver: the forkserver is its parent, so a signal at the parent's death does not help.
    The worker holds the only write end of a pipe, and a thread in the child waits for its end-of-file.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # the kernel's out-of-memory killer should take the trial, not the worker
        Path("/proc/self/oom_score_adj").write_text("500")
    threading.Thread(target=_kill_group_at_end_of_file, args=(lifeline.fileno(),), name="lifeline", daemon=True).start()


def _kill_group_at_end_of_file(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _prctl() -> Any | None:
    import ctypes

    return getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
