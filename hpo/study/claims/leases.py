"""Leases that have run out, as far as one worker can know."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Watch:
    """The leases of a study as this worker has seen them.

    A lease has run out when this worker has seen the same token with the same beat for a whole lease, in contact with
    the database all the time. So an outage makes no owner look dead, and only this process's own steady clock is used.
    When a long time lies between two looks, as on a starved machine, only half a lease is counted: at least two more
    looks are then needed. One thread calls ``saw`` and ``lost_sight``; any thread may ask.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float]) -> None:
        """Start without any lease seen.

        ``clock``: returns seconds and never goes back, such as ``time.monotonic``.
        """
        self._lease_s = lease_s
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        """Token -> beat, and the seconds for which it was seen with that beat."""
        self._last: float | None = None
        """Time of the last answer, in seconds; None before it."""

    def saw(self, beats: Mapping[str, int], asked_at: float) -> None:
        """Note every lease in the database, as it answered a query made at ``asked_at``."""
        if self._last is None or asked_at - self._last > 2 * self._lease_s:
            self._seen = {}  # contact was broken: every worker that could not beat meanwhile gets a whole lease again
            passed = 0.0
        else:
            passed = min(max(0.0, asked_at - self._last), self._lease_s / 2)
        known = self._seen
        self._seen = {
            token: (beat, known[token][1] + passed) if token in known and known[token][0] == beat else (beat, 0.0)
            for token, beat in beats.items()
        }
        self._last = self._clock()

    def lost_sight(self) -> None:
        """Note that the database did not answer."""
        self._last = None
        self._seen = {}

    def expired(self) -> dict[str, int]:
        """Return the leases that have run out, as a map from token to beat."""
        return {token: beat for token, (beat, seen_s) in self._seen.items() if seen_s >= self._lease_s}
