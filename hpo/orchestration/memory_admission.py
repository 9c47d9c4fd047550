"""How many trials fit in a device's memory, judged by the peaks of earlier trials of this model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from hpo.study.session.peaks import Load, Peak

SHARE = 0.9
"""Share of the initially free memory that trials may use. The rest is a reserve: allocators fragment, and peaks grow.
"""
REFRESH_S = 2.0
CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files with the limit and the use of a control group's memory, in versions 2 and 1, relative to the group's folder."""


class MemoryAdmission:
    """Decides whether one more trial fits beside those that run.

    The batch and the image size of the next trial are not known yet. It is therefore expected to need the largest peak
    seen for this model in this database. A running trial is expected to need the largest peak seen for its own batch
    and image size, or the largest of all where none was seen. While no peak is known, one trial runs at a time.
    """

    def __init__(self, free_mib: Mapping[str, float], cores: int, peaks: Callable[[], Sequence[Peak]]) -> None:
        """Start without a known peak.

        ``free_mib``: the memory that each device had free before any trial ran. ``cores``: number of CPU cores; more
        trials than this, over all devices, gain nothing.
        """
        self._free_mib = free_mib
        self._cores = cores
        self._peaks = peaks
        self._read: Sequence[Peak] = ()
        self._due = float("-inf")

    def fits(self, device: str, loads: Sequence[Load], running: int) -> bool:
        """Return whether one more trial fits beside ``loads`` on ``device``.

        ``running`` is the number of trials that the worker trains over all devices.
        """
        known = self._seen(device)
        if not known or running >= self._cores:
            return False
        largest = max(known.values())
        needed = largest + sum(known.get(load, largest) for load in loads)
        return needed <= SHARE * self._free_mib[device]

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
    """Return the free memory of the machine in MiB, or of this control group where that is less."""
    left = [float(psutil.virtual_memory().available)]
    for limit, used in _LIMITS:
        with suppress(OSError, ValueError):  # the file is missing, or says "max"
            left.append(float((cgroups / limit).read_text()) - float((cgroups / used).read_text()))
    return max(0.0, min(left)) / 2**20
