"""Which process a worker is, so that its own machine can say at once that it is gone."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """``BOOT/PID-NAMESPACE/PID/START``; empty where /proc can't say (then a lease has to run out instead)."""
    return _named(os.getpid())


def is_gone(process: str) -> bool:
    """Whether ``process`` ran in this boot and pid namespace and does so no more; False where that is not certain."""
    place, _, _ = process.rpartition("/")
    place, _, pid = place.rpartition("/")
    if not place or not pid.isdecimal():
        return False
    if place != _place():
        return False
    now = _named(int(pid))
    return now != process and (bool(now) or not _exists(int(pid)))


def _exists(pid: int) -> bool:
    """Also where /proc hides the processes of others."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache  # asked of every other worker at every admission
def _place() -> str:
    with suppress(OSError):
        return f"{(_PROC / 'sys/kernel/random/boot_id').read_text().strip()}/{(_PROC / 'self/ns/pid').readlink()}"
    return ""


def _named(pid: int) -> str:
    place = _place()
    with suppress(OSError, IndexError):
        # after the name, which may hold spaces and brackets; a zombie has ended, whoever has not collected it
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        started = "ended" if fields[0] in "ZX" else fields[19]
        return f"{place}/{pid}/{started}" if place else ""
    return ""
