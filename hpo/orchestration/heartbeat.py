"""A periodic sign of life that goes on whatever the rest of the process does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def heartbeat(beat: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call ``beat`` at once and then every ``every_s`` seconds until the block ends.

    The calls come from a thread of its own. Errors are logged and never end the heartbeat; the first error of a series
    is logged as a warning.
    """
    ending = threading.Event()
    thread = threading.Thread(target=_run, args=(beat, every_s, ending), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(every_s)  # a call that hangs stays in the daemon thread


def _run(beat: Callable[[], None], every_s: float, ending: threading.Event) -> None:
    is_failing = False
    while True:
        try:
            beat()
        except Exception as error:  # noqa: BLE001  (a lease that is not renewed costs a healthy training)
            level = logging.DEBUG if is_failing else logging.WARNING
            log.log(level, "no sign of life can be given, training goes on: %s", error)
            is_failing = True
        else:
            if is_failing:
                log.warning("signs of life are given again")
            is_failing = False
        if ending.wait(every_s):
            return
