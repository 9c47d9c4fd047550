"""Projecting in the background: training never waits for MLflow, and never fails because of it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from hpo.errors import HpoError, StorageUnavailable

log = logging.getLogger(__name__)

STUDY, PLOTS = -1, -2
"""Stand for the study's own run and for its plots among the trial numbers."""
PLOTS_SHARE = 50
"""A drawing may take one core for 2% of the time."""


class Projecting(Protocol):
    """What the thread needs of ``hpo.tracking.projection.Projector``."""

    def trial(self, number: int) -> object: ...

    def study(self) -> object: ...

    def plots(self) -> object: ...


@dataclass(frozen=True)
class Pace:
    """How often the thread writes, in seconds."""

    trial_s: float = 5.0
    """From one write of a trial to its next; epochs that end in between share it."""
    study_s: float = 30.0
    """From one write of the study's own run to the next."""
    plots_s: float = 300.0
    """From one drawing of the study's plots to the next, and at least ``PLOTS_SHARE`` times what the last one took. Who
    worked for less than this draws nothing at its end: waiting for it would be most of a short run.
    """
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    """After a failure nothing is written for a pause, which doubles with each further failure up to this."""


class ProjectionThread:
    """A daemon thread that projects what is touched, and the study's own run first. MLflow is imported in it.

    ``touch`` returns at once and never raises. While MLflow does not answer, the numbers are kept, each once, and tried
    again; one warning says so, and one line says when it is back. What MLflow refuses is logged once a trial.
    """

    def __init__(self, projector: Projecting, pace: Pace | None = None) -> None:
        self._projector = projector
        self._pace = pace or Pace()
        self._changed = threading.Condition()
        self._due: dict[int, float] = {STUDY: 0.0}
        """Number -> monotonic time before which it is not written."""
        self._began = time.monotonic()
        self._written: dict[int, float] = {PLOTS: self._began}
        self._drawing_s = 0.0
        """What the last drawing took."""
        self._in_hand: int | None = None
        self._refused: set[int] = set()
        self._pause_s = 0.0
        """Length of the pause that the last failure led to; 0 while MLflow answers."""
        self._resume_at = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="mlflow-projection", daemon=True)
        self._thread.start()

    def touch(self, number: int) -> None:
        """The trial's rows have changed."""
        with self._changed:
            self._plan(number, self._pace.trial_s)
            self._changed.notify()

    def close(self, timeout_s: float) -> int:
        """Writes what is left, for at most ``timeout_s``, and ends the thread.

        Returns how many runs MLflow does not show in full (the study's own counts too); ``hpo sync`` writes them later.
        A call that hangs goes on in the daemon thread and ends with the process.
        """
        with self._changed:
            for number in (STUDY, *self._refused):
                self._plan(number, 0.0)
            self._due.pop(PLOTS, None)
            if self._began + self._pace.plots_s <= time.monotonic():
                self._plan(PLOTS, 0.0)
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            in_hand = set() if self._in_hand is None else {self._in_hand}
            left = set(self._due) | self._refused | in_hand
            return len({STUDY if number == PLOTS else number for number in left})

    def _run(self) -> None:
        while (number := self._next()) is not None:
            try:
                self._write(number)
            except StorageUnavailable as outage:
                if not self._wait_out(number, outage):
                    return
            except HpoError as error:  # its sentence says all; the trace would say nothing more
                if self._refuse(number):
                    log.warning("MLflow lacks %s for now, `hpo sync` brings it: %s", _named(number), error)
            except Exception:
                if self._refuse(number):
                    log.exception("MLflow does not take %s; the rest goes on", _named(number))
            else:
                self._succeed(number)

    def _next(self) -> int | None:
        """The number that is due first, as soon as it is; None when the thread is to end."""
        with self._changed:
            while True:
                if self._closing:
                    self._in_hand = min(self._due, key=self._closing_order, default=None)
                else:
                    self._in_hand = self._ripe()
                if self._in_hand is not None:
                    del self._due[self._in_hand]
                    return self._in_hand
                if self._closing:
                    return None
                self._changed.wait(self._until_next())

    def _ripe(self) -> int | None:
        now = time.monotonic()
        ripe = [number for number, due in self._due.items() if max(due, self._resume_at) <= now]
        return min(ripe, key=self._due.__getitem__, default=None)

    def _until_next(self) -> float | None:
        if not self._due:
            return None
        return max(min(self._due.values()), self._resume_at) - time.monotonic()

    @staticmethod
    def _closing_order(number: int) -> tuple[int, int]:
        """Trials first, then the study's run, which counts them, and its plots, which take longest."""
        return {STUDY: 1, PLOTS: 2}.get(number, 0), number

    def _write(self, number: int) -> None:
        if number == STUDY:
            self._projector.study()
        elif number == PLOTS:
            began = time.monotonic()
            self._projector.plots()
            self._drawing_s = time.monotonic() - began
        else:
            self._projector.trial(number)

    def _succeed(self, number: int) -> None:
        with self._changed:
            self._in_hand = None
            self._written[number] = time.monotonic()
            self._refused.discard(number)
            if number >= 0 and not self._closing:
                self._plan(STUDY, self._pace.study_s)
                self._plan(PLOTS, max(self._pace.plots_s, PLOTS_SHARE * self._drawing_s))
            was_down, self._pause_s = self._pause_s > 0, 0.0
        if was_down:
            log.warning("MLflow answers again; what it missed is being written")

    def _wait_out(self, number: int, outage: StorageUnavailable) -> bool:
        """Keeps the number and pauses; False when closing, where one failure is enough to know."""
        with self._changed:
            self._in_hand = None
            self._due.setdefault(number, 0.0)
            first = self._pause_s == 0
            self._pause_s = min(max(self._pace.first_pause_s, 2 * self._pause_s), self._pace.longest_pause_s)
            self._resume_at = time.monotonic() + self._pause_s
            going_on = not self._closing
        if first:
            log.warning("MLflow is left out for now, training goes on: %s", outage)
        return going_on

    def _refuse(self, number: int) -> bool:
        """Something is wrong with this number alone; whether that is news."""
        with self._changed:
            self._in_hand = None
            known = number in self._refused
            self._refused.add(number)
        return not known

    def _plan(self, number: int, between_s: float) -> None:
        self._due.setdefault(number, self._written.get(number, -between_s) + between_s)


def _named(number: int) -> str:
    return {STUDY: "the study's run", PLOTS: "the study's plots"}.get(number, f"trial {number}")
