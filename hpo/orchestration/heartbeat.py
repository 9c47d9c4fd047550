"""A periodic sign of life that goes on whatever the rest of the process does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)


class Heartbeat:
    """A context manager that calls ``beat`` at once and then every ``every_s`` seconds until the block ends.

    The calls come from a thread of its own. Errors are logged and never end the heartbeat; the first error of a series
    is logged as a warning.
    """

    def __init__(self, beat: Callable[[], None], every_s: float) -> None:
        self._beat = beat
        self._every_s = every_s
        self._ending = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(self._every_s)  # a call that hangs stays in the daemon thread

    def _run(self) -> None:
        while True:
            self._beat_once()
            if self._ending.wait(self._every_s):
                return

    def _beat_once(self) -> None:
        try:
            self._beat()
        except Exception as error:  # noqa: BLE001  (a lease that is not renewed costs a healthy training)
            level = logging.DEBUG if self._failing else logging.WARNING
            self._failing = True
            log.log(level, "no sign of life can be given, training goes on: %s", error)
        else:
            if self._failing:
                log.warning("signs of life are given again")
            self._failing = False
