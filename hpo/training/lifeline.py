"""A trial's process ends with its worker, whatever ends the worker.

A parent-death signal does not reach across a forkserver: the forkserver is the parent. So the worker holds the only
write end of a pipe, and a thread here waits for its end-of-file.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path


def hold(lifeline: Connection) -> None:
    """Lead a new session, be deaf to Ctrl-C, and kill the whole group when the worker is gone."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # the kernel's out-of-memory killer shall take the trial, not the worker
        Path("/proc/self/oom_score_adj").write_text("500")
    threading.Thread(target=_kill_group_at_end_of_file, args=(lifeline.fileno(),), name="lifeline", daemon=True).start()


def _kill_group_at_end_of_file(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)
