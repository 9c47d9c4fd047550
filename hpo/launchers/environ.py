"""What a trial's process inherits of its worker's environment: no secret."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing import util

from hpo.settings import without_secrets


def start_children_without_secrets() -> None:
    """From now on multiprocessing starts its helpers (forkserver, resource tracker) without this process's secrets.

    The standard library hands its own environment on and knows no other way (Python 3.11 to 3.13, ``spawnv_passfds``).
    Taking the secrets out of ``os.environ`` meanwhile would take them from the threads that connect at that moment.
    """
    util.spawnv_passfds = _spawn  # type: ignore[assignment]


def _spawn(path: str | bytes, args: Sequence[str], passfds: Sequence[int]) -> int:
    """As the function that it replaces: the new process has the standard streams and ``passfds`` open, nothing else of
    ours (Python opens all others to be closed at exec). Returns its id."""
    executable = os.fsdecode(path)
    keep = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in sorted(map(int, passfds))]  # onto itself: stays open at exec
    return os.posix_spawn(executable, list(args), without_secrets(os.environ), file_actions=keep)
