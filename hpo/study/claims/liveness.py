"""The identity of a worker's process, so that its own machine can tell at once that it has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """Return ``BOOT/PID-NAMESPACE/PID/START``; empty where /proc does not tell (then the lease has to run out)."""
    return _named(os.getpid())


def is_gone(process: str) -> bool:
    """Return whether ``process`` ran in this boot and pid namespace and has ended; False where that is not certain."""
    place, _, _ = process.rpartition("/")
    place, _, pid = place.rpartition("/")
    if not place or not pid.isdecimal() or place != _place():
        return False
    now = _named(int(pid))
    return now != process and (bool(now) or not _exists(int(pid)))


def _exists(pid: int) -> bool:
    """Return whether a process exists, also where /proc hides the processes of other users."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


@cache  # called for every other worker at every admission
def _place() -> str:
    with suppress(OSError):
        return f"{(_PROC / 'sys/kernel/random/boot_id').read_text().strip()}/{(_PROC / 'self/ns/pid').readlink()}"
    return ""


def _named(pid: int) -> str:
    place = _place()
    with suppress(OSError, IndexError):
        # the fields follow the name, which may hold spaces and brackets; a zombie has ended, even if its parent has not
        # waited
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        started = "ended" if fields[0] in "ZX" else fields[19]
        return f"{place}/{pid}/{started}" if place else ""
    return ""
