"""Leases that have run out, as one worker can know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Watch:
    """What this worker saw of the leases of a study.

    A lease has run out when this worker has itself seen the same token with the same beat for a whole lease, without
    losing sight of the database in between: an outage makes nobody look dead, and no clock but this process's own
    steady one is asked. Of a long time between two looks, as on a starved machine, half a lease is counted: whatever
    happened in it, two more looks are needed. One thread tells it, any may ask.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float]) -> None:
        """``clock``: seconds that never go back, such as ``time.monotonic``."""
        self._lease_s = lease_s
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        """Token -> beat, and for how long it was seen with it, s."""
        self._last: float | None = None
        """When the last look was answered."""

    def saw(self, beats: Mapping[str, int], asked_at: float) -> None:
        """Every lease as the database gave it, when it was asked at ``asked_at``."""
        if self._last is None or asked_at - self._last > 2 * self._lease_s:
            self._seen = {}  # contact was broken: whoever could not beat meanwhile gets a whole lease again
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
        """The database did not answer."""
        self._last = None
        self._seen = {}

    def expired(self) -> dict[str, int]:
        """Token -> beat of the leases that have run out."""
        return {token: beat for token, (beat, seen_s) in self._seen.items() if seen_s >= self._lease_s}
