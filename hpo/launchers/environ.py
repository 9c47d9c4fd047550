"""Environment that a trial's process inherits from its worker: no secrets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing import util

from hpo.settings import without_secrets


def start_children_without_secrets() -> None:
    """Make multiprocessing start its helpers (forkserver, resource tracker) without this process's secrets from now on.

    The standard library passes its own environment on and has no option for this (Python 3.11 to 3.13,
    ``spawnv_passfds``). If the secrets were removed from ``os.environ`` for that time, threads that connect at the same
    moment would lack them.
    """
    util.spawnv_passfds = _spawn  # type: ignore[assignment]


def _spawn(path: str | bytes, args: Sequence[str], passfds: Sequence[int]) -> int:
    """Start a process like the function that this one replaces, and return its id.

    The process has the standard streams and ``passfds`` open, and no other descriptors (Python opens all others to be
    closed at exec).
    """
    executable = os.fsdecode(path)
    keep = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in sorted(map(int, passfds))]  # onto itself: stays open at exec
    return os.posix_spawn(executable, list(args), without_secrets(os.environ), file_actions=keep)
