"""A worker with nothing to do: it looks for work less and less often, and may leave."""

from __future__ import annotations

import time
from collections.abc import Callable

from hpo.retry import Backoff

PAUSES = Backoff(first_s=1.0, longest_s=15.0, jitter=0.5)
"""Pauses between two looks for work: many idle workers together are a load on the database."""


class Idling:
    """Counts the looks that found nothing."""

    def __init__(self, leave_after_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without a look. After ``leave_after_s`` seconds without any trial the worker leaves; None: never."""
        self._leave_after_s = leave_after_s
        self._clock = clock
        self._looks = 0
        self._since: float | None = None

    def found(self) -> None:
        """Note that there was a trial."""
        self._looks, self._since = 0, None

    def nothing(self, *, trains: bool) -> float:
        """Note that there was nothing; return the seconds to wait. ``trains``: whether trials run here meanwhile."""
        self._looks += 1
        now = self._clock()
        self._since = None if trains else (self._since if self._since is not None else now)
        pause_s = PAUSES.pause_s(self._looks)
        if self._leave_after_s is None or self._since is None:
            return pause_s
        return min(pause_s, max(0.0, self._since + self._leave_after_s - now))

    @property
    def leaves(self) -> bool:
        """Return whether the worker has had nothing to do for so long that it leaves."""
        if self._leave_after_s is None or self._since is None:
            return False
        return self._clock() - self._since >= self._leave_after_s
