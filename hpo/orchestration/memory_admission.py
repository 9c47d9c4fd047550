"""How many trials a device's memory holds, by what trials of this model were seen to take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from hpo.study.session.peaks import Load, Peak

SHARE = 0.9
"""This share of the memory that was free when the worker started is used: allocators fragment, and peaks grow."""
REFRESH_S = 2.0
CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files with the limit and the use of a control group's memory, in versions 2 and 1."""


@dataclass(frozen=True)
class FreeMemory:
    """What each device had free before any trial ran."""

    mib: Mapping[str, float]
    cores: int
    """More trials than these, over all devices, gain nothing."""


class MemoryAdmission:
    """Whether one more trial fits beside those that run.

    Of a trial that is to come neither batch nor image size is known, so that it is taken for the largest that was seen;
    one that runs for the largest of its own batch and image size, or of all where none was seen. Before any peak was
    seen there is room for one trial.
    """

    def __init__(self, memory: FreeMemory, peaks: Callable[[], Sequence[Peak]]) -> None:
        self._memory = memory
        self._peaks = peaks
        self._read: Sequence[Peak] = ()
        self._due = float("-inf")

    def fits(self, device: str, loads: Sequence[Load], running: int) -> bool:
        """Beside ``loads`` on ``device``, where the worker trains ``running`` trials over all devices."""
        known = self._seen(device)
        if not known or running >= self._memory.cores:
            return False
        largest = max(known.values())
        needed = largest + sum(known.get(load, largest) for load in loads)
        return needed <= SHARE * self._memory.mib[device]

    def _seen(self, device: str) -> dict[Load, float]:
        if time.monotonic() >= self._due:
            self._read = self._peaks()
            self._due = time.monotonic() + REFRESH_S
        known: dict[Load, float] = {}
        for peak in self._read:
            if peak.on_cpu == (device == "cpu"):
                known[peak.load] = max(peak.mib, known.get(peak.load, 0.0))
        return known


def free_host_mib(cgroups: Path = CGROUPS) -> float:
    """What the machine has left, or this control group where that is less."""
    left = [float(psutil.virtual_memory().available)]
    for limit, used in _LIMITS:
        try:
            left.append(float((cgroups / limit).read_text()) - float((cgroups / used).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0.0, min(left)) / 2**20


def cores() -> int:
    return len(os.sched_getaffinity(0))
