"""Retries with growing pauses: while the database is away, work waits and no result is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from hpo import retry
from hpo.errors import StorageUnavailable
from hpo.orchestration.stop import StopRequest
from hpo.retry import Backoff

T = TypeVar("T")
log = logging.getLogger(__name__)
BACKOFF = Backoff(first_s=0.5, longest_s=10.0, jitter=0.5)
_STEP_S = 0.2


class Patience:
    """Repeats calls that the database did not answer, with growing pauses."""

    def __init__(self, patience_s: float, grace_s: float, stop: StopRequest) -> None:
        self._patience_s = patience_s
        self._grace_s = grace_s
        self._stop = stop

    def call(self, what: Callable[[], T]) -> T:
        """Return what ``what`` returns, and repeat it while the database does not answer.

        Raises ``StorageUnavailable`` after ``patience_s`` seconds, or after ``grace_s`` once a stop was asked for.
        """
        return self._repeat(what, lambda error: isinstance(error, StorageUnavailable))

    def begin(self, what: Callable[[], T]) -> T:
        """Do the same for the first calls of a worker, which lose nothing if they fail: no waiting where it is in vain.

        Raises ``StorageUnavailable`` at once after an error such as a wrong password.
        """
        return self._repeat(what, lambda error: isinstance(error, StorageUnavailable) and not error.lasting)

    def _repeat(self, what: Callable[[], T], again: Callable[[BaseException], bool]) -> T:
        return retry.call(what, BACKOFF, again=again, waited=self.waiting(), failed=_warn_once)

    def waiting(self) -> Callable[[float], bool]:
        """Return a function that waits some seconds. It returns False once the patience that begins now has ended."""
        began = time.monotonic()

        def wait(pause_s: float) -> bool:
            until = time.monotonic() + pause_s
            while time.monotonic() < until:
                limit_s = min(self._grace_s, self._patience_s) if self._stop.soon else self._patience_s
                if self._stop.now or time.monotonic() - began > limit_s:
                    return False
                time.sleep(_STEP_S)
            return True

        return wait


def _warn_once(outage: BaseException, failures: int) -> None:
    if failures == 1:
        log.warning("waiting for the database: %s", outage)
