"""Projection in the background: training never waits for MLflow, and never fails because of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Protocol

from hpo.background import Job, Queue
from hpo.errors import HpoError, StorageUnavailable
from hpo.retry import Backoff

log = logging.getLogger(__name__)

STUDY, PLOTS = -1, -2
"""Numbers that represent the study's own run and its plots among the trial numbers."""
_LAST = 2**62
"""Position after every trial."""
PLOTS_SHARE = 50
"""Ratio of pause to drawing time: drawing may take one core for 2% of the time."""


class Projecting(Protocol):
    """Brings MLflow in line with the database; see ``hpo.tracking.projection.Projector``.

    Each call may be made again at any time and changes nothing where all is in line. The projecting thread makes all
    calls, one at a time; another process may project the same study. Each raises StorageUnavailable while MLflow or the
    database does not answer, then it is tried again; any other error counts as a refusal of this one run. Results are
    passed over.
    """

    def trial(self, number: int) -> object:
        """Project one trial.

        Args:
            number: The trial's number, from 0.
        """

    def study(self) -> object:
        """Project the run of the study as a whole."""

    def plots(self) -> object:
        """Draw the study's plots and put them into the study's run."""


@dataclass(frozen=True)
class Pace:
    """Intervals between writes, in seconds."""

    trial_s: float = 5.0
    """Seconds between two writes of one trial; epochs that end in between share a write."""
    study_s: float = 30.0
    """Seconds between two writes of the study's own run."""
    plots_s: float = 300.0
    """Seconds between two drawings of the study's plots, and at least ``PLOTS_SHARE`` times the duration of the last
    one. A worker that ran for less than this draws nothing at its end: waiting would be most of a short run.
    """
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    """Longest pause after a failure, in seconds; the pause doubles with each further failure up to this."""


class ProjectionThread:
    """A daemon thread that projects the touched trials, and first the study's own run. It imports MLflow.

    ``touch`` returns at once and never raises. While MLflow does not answer, each number is kept once and retried. One
    warning reports the outage, and one line reports its end. A request that MLflow refuses is logged once per trial.
    """

    def __init__(self, projector: Projecting, pace: Pace | None = None) -> None:
        """Start the thread.

        Args:
            projector: Does the projecting, in the thread.
            pace: How often it writes; None for the default.
        """
        self._projector = projector
        self._pace = pace or Pace()
        self._began = time.monotonic()
        self._written: dict[int, float] = {PLOTS: self._began}
        """Number -> monotonic time of its last write."""
        self._drawing_s = 0.0
        """Duration of the last drawing in seconds."""
        self._draws_last = False
        """Whether the worker ran long enough for the plots to be drawn at its end."""
        self._refused: set[int] = set()
        job = Job(do=self._write, failed=self._failed, recovered=_say_that_it_is_back, order=self._closing_order)
        backoff = Backoff(self._pace.first_pause_s, self._pace.longest_pause_s)
        self._queue = Queue(job, backoff, "mlflow-projection")
        self._queue.put(STUDY)

    def touch(self, number: int) -> None:
        """Have a trial projected, since its rows have changed.

        Args:
            number: The trial's number, from 0.
        """
        self._plan(number, self._pace.trial_s)

    def close(self, timeout_s: float) -> int:
        """Write what is left and end the thread.

        A call that hangs goes on in the daemon thread and ends with the process.

        Args:
            timeout_s: How long to wait at most, in seconds.

        Returns:
            How many runs MLflow does not show in full (the study's own counts too); ``hpo sync`` writes them later.
        """
        self._draws_last = self._began + self._pace.plots_s <= time.monotonic()
        left = self._queue.close(timeout_s, last=[STUDY, PLOTS, *list(self._refused)]) | self._refused
        return len({STUDY if number == PLOTS else number for number in left})

    def _closing_order(self, number: int) -> int | None:
        """Return the place of a key at the end.

        Trials come first, then the study's run, which counts them, then its plots, which take longest.
        """
        if number == PLOTS:
            return _LAST + 1 if self._draws_last else None
        return _LAST if number == STUDY else number

    def _write(self, number: int) -> None:
        if number == STUDY:
            self._projector.study()
        elif number == PLOTS:
            began = time.monotonic()
            self._projector.plots()
            self._drawing_s = time.monotonic() - began
        else:
            self._projector.trial(number)
        self._written[number] = time.monotonic()
        self._refused.discard(number)
        if number >= 0:
            self._plan(STUDY, self._pace.study_s)
            self._plan(PLOTS, max(self._pace.plots_s, PLOTS_SHARE * self._drawing_s))

    def _failed(self, number: int, error: Exception, first: bool) -> float | None:  # noqa: FBT001  (a callback)
        if isinstance(error, StorageUnavailable):
            if first:
                log.warning("MLflow is left out for now, training goes on: %s", error)
            return 0.0
        if number in self._refused:
            return None
        self._refused.add(number)
        if isinstance(error, HpoError):  # its message is complete; a trace would add nothing
            log.warning("MLflow lacks %s for now, `hpo sync` brings it: %s", _named(number), error)
        else:
            log.error("MLflow does not take %s; the rest goes on", _named(number), exc_info=error)
        return None

    def _plan(self, number: int, between_s: float) -> None:
        self._queue.put(number, self._written.get(number, -between_s) + between_s)


def _say_that_it_is_back() -> None:
    log.warning("MLflow answers again; what it missed is being written")


def _named(number: int) -> str:
    return {STUDY: "the study's run", PLOTS: "the study's plots"}.get(number, f"trial {number}")
