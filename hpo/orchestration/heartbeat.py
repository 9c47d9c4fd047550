"""A sign of life every so often, whatever happens around it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)


class Heartbeat:
    """A context manager: calls ``beat`` at once and then every ``every_s`` from a thread of its own until the block
    ends. Errors are logged, the first of a row as a warning, and never end it.
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
        self._thread.join(self._every_s)  # a call that hangs goes on in the daemon thread

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
