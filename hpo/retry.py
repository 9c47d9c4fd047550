"""Retries after temporary failures: length of the pauses, and the end of the waiting."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries, in seconds. They grow by ``factor``."""

    first_s: float
    longest_s: float
    factor: float = 2.0
    tries: int | None = None
    """Maximum number of tries, the first one included; None sets no limit."""
    jitter: float = 0.0
    """Share of each pause that is left to chance, in [0, 1]: those who fail together do not come back together."""

    def pause_s(self, failures: int) -> float:
        """Return the pause in seconds after ``failures`` failures in a row, from 1."""
        try:
            grown = self.first_s * self.factor ** (failures - 1)
        except OverflowError:
            grown = self.longest_s
        return min(grown, self.longest_s) * (1 - self.jitter * random.random())  # noqa: S311  (no secret)


def wait(seconds: float) -> bool:
    """Sleep; nothing ends the sleep early."""
    time.sleep(seconds)
    return True


def until(holds: Callable[[], bool], *, within_s: float, every_s: float) -> bool:
    """Call ``holds`` until it returns True, at least once and for at most ``within_s`` seconds; return its last
    result.
    """
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True


def ignore(_error: BaseException, _failures: int) -> None:
    """Report nothing."""


def call(
    what: Callable[[], T],
    backoff: Backoff,
    *,
    again: Callable[[BaseException], bool],
    waited: Callable[[float], bool] = wait,
    failed: Callable[[BaseException, int], None] = ignore,
) -> T:
    """Call ``what`` until it returns.

    ``again`` returns whether an error is temporary; any other error is raised at once. ``waited`` gets the length of a
    pause in seconds and waits for it, or for less. If it returns False, the waiting is over and the last error is
    raised. Before each pause ``failed`` gets the temporary error and the number of failures so far. After the last of
    ``backoff.tries`` its error is raised.
    """
    try:
        return what()
    except Exception as error:
        if not again(error) or backoff.tries == 1:
            raise
        first = error
    return _call_after(first, what, backoff, again=again, waited=waited, failed=failed)


def _call_after(
    first: Exception,
    what: Callable[[], T],
    backoff: Backoff,
    *,
    again: Callable[[BaseException], bool],
    waited: Callable[[float], bool],
    failed: Callable[[BaseException, int], None],
) -> T:
    """Go on after the first failure. The library loads here (0.2 s of CPU): most calls never fail."""
    import tenacity

    made = [first]

    def attempt() -> T:
        if made:
            raise made.pop()
        return what()

    def before_pause(now: tenacity.RetryCallState) -> None:
        error = now.outcome.exception() if now.outcome else None
        assert error is not None  # noqa: S101  (called after a failure)
        failed(error, now.attempt_number)
        if not waited(now.upcoming_sleep):
            raise error

    retrying = tenacity.Retrying(
        sleep=lambda _seconds: None,  # ``before_pause`` has waited
        wait=lambda now: backoff.pause_s(now.attempt_number),
        stop=tenacity.stop_never if backoff.tries is None else tenacity.stop_after_attempt(backoff.tries),
        retry=tenacity.retry_if_exception(again),
        before_sleep=before_pause,
        reraise=True,
    )
    return retrying(attempt)
