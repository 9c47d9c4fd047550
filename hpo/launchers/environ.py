"""What a trial's process inherits from its worker: an environment without secrets, and blocked signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from multiprocessing import util

from hpo.processes import NO_FOLDER_OF_ITS_OWN
from hpo.settings import without_secrets

BLOCKED = (signal.SIGTERM, signal.SIGHUP)
"""Signals that the forkserver and everything below it never get.

Slurm, Ray and systemd send SIGTERM to every process of a job, and a terminal that closes sends SIGHUP. The worker alone
obeys: it gives its trials back at their next epoch. A mask is inherited over fork and exec, and no handler replaces it
(torch sets one for SIGTERM in its loader processes). Such processes are therefore ended with SIGKILL.
"""

SAFE = {"ULTRALYTICS_SAFE_LOAD": "1"}
"""What Ultralytics reads at its import: it then unpickles and evaluates nothing but the parts of a detector."""


def prepare_children() -> None:
    """Make multiprocessing start its helpers (forkserver, resource tracker) without this process's secrets, and deaf to
    `BLOCKED`, from now on.

    The standard library passes its own environment on and has no option for this (Python 3.11 to 3.13,
    ``spawnv_passfds``). If the secrets were removed from ``os.environ`` for that time, threads that connect at the same
    moment would lack them.
    """
    util.spawnv_passfds = _spawn  # type: ignore[assignment]


def _spawn(path: str | bytes, args: Sequence[str], passfds: Sequence[int]) -> int:
    """Start a process like the function that this one replaces, and return its id.

    The process has the standard streams and ``passfds`` open, and no other descriptors (Python opens all others to be
    closed at exec). A process that the user's program spawns itself keeps its signals, and Ultralytics as it is.
    """
    executable, ours = os.fsdecode(path), not any("multiprocessing.spawn" in os.fsdecode(arg) for arg in args)
    keep = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in sorted(map(int, passfds))]  # onto itself: stays open at exec
    blocked = BLOCKED if ours else ()
    environment = without_secrets(os.environ) | (SAFE | NO_FOLDER_OF_ITS_OWN if ours else {})
    return os.posix_spawn(executable, list(args), environment, file_actions=keep, setsigmask=blocked)
