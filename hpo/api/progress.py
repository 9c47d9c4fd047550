"""How far a study is, as a person reads it: lines of plain text, and in a notebook one line that changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from hpo.api.view import NoWatcher, View
from hpo.api.wording import duration
from hpo.errors import StorageUnavailable
from hpo.texts import visible

if TYPE_CHECKING:
    from hpo.study.records import StudyRow, TrialRow
    from hpo.study.status import StatusRow
    from hpo.trial.messages import Ended, EpochReport
    from hpo.trial.ports import Watcher
    from hpo.trial.request import TrialRequest
    from hpo.trial.vocabulary import Reaction
    from hpo.wiring.opening import LocalStudy


class Score:
    """How far the study is, other workers' trials included: asked anew at the end of each trial that runs here."""

    def __init__(self, ask: Callable[[], StatusRow]) -> None:
        """Ask for the first time.

        Args:
            ask: Returns where the study stands; raises StorageUnavailable while the database is away.
        """
        self._ask = ask
        self._status = ask()
        self._asked_at = time.monotonic()

    def refresh(self) -> None:
        """Ask again; what was known stays while the database is away."""
        try:
            self._status = self._ask()
        except StorageUnavailable:
            return
        self._asked_at = time.monotonic()

    @property
    def total(self) -> int:
        """Trials of the budget."""
        return self._status.budget.trials

    @property
    def counted(self) -> int:
        """Trials that ended and count."""
        return self._status.budget.counted

    def left_s(self) -> float | None:
        """Estimate the time to the end of the budget, with all slots.

        Returns:
            Seconds, at least 0; None before anything has counted.
        """
        left = self._status.left_s
        return None if left is None else max(0.0, left - (time.monotonic() - self._asked_at))

    def best_text(self) -> str:
        """Word the best value so far, for an end of a sentence.

        Returns:
            The value and its trial, or ``none yet``.
        """
        best = self._status.best
        return "none yet" if best is None or best.value is None else f"{best.value:.4f} (trial {best.number})"


class Screen:
    """Prints lines; in a notebook the last line changes in place, elsewhere changing lines are left out."""

    def __init__(self) -> None:
        """Find out whether this is a notebook."""
        self._handle: Any = _notebook_line() if in_notebook() else None
        self._out = sys.stdout if in_notebook() else sys.stderr

    def line(self, text: str) -> None:
        """Print a line that stays.

        Args:
            text: The line, without its end.
        """
        self._out.write(f"{visible(text)}\n")
        self._out.flush()

    def change(self, text: str) -> None:
        """Show what is under way, in place of what was shown before; only a notebook shows it.

        Args:
            text: The line, without its end.
        """
        if self._handle is not None:
            self._handle.update({"text/plain": visible(text)}, raw=True)


def in_notebook() -> bool:
    """Find out whether this code runs in a Jupyter kernel.

    Returns:
        True in a notebook; False in a terminal, IPython's included.
    """
    interactive = sys.modules.get("IPython")
    shell = None if interactive is None else interactive.get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _notebook_line() -> Any:
    from importlib import import_module

    display = import_module("IPython.display")  # it is loaded: a kernel runs us
    return display.display({"text/plain": ""}, raw=True, display_id=True)


class ProgressView(View):
    """Shows a run in plain lines."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._screen: Screen | None = None

    @property
    def screen(self) -> Screen:
        """Where it is shown; made at the first line, so that it stands in the cell that runs the study."""
        self._screen = self._screen or Screen()
        return self._screen

    @override
    def opened(self, study: LocalStudy, known: Sequence[TrialRow]) -> None:
        spec, counted = study.study.spec, sum(row.counts for row in known)
        done = f", {counted} done" if counted else ""
        self.screen.line(f"{spec.name}: {spec.objective}; {spec.budget.trials} trials of {spec.epochs} epochs{done}")

    @override
    @contextmanager
    def watcher(self, study: StudyRow, ask: Callable[[], StatusRow]) -> Iterator[Watcher]:
        watcher = ProgressWatcher(self.screen, study, Score(ask))
        try:
            yield watcher
        finally:
            watcher.ended()

    @override
    def nothing_to_confirm(self) -> None:
        self.screen.line("nothing to confirm: no trial beside the baseline is complete")

    @override
    def confirming(self, stage: LocalStudy, done: int) -> None:
        self.screen.line(f"confirmation: {done} of {len(stage.study.plan)} runs done")


class ProgressWatcher(NoWatcher):
    """Prints a line for each trial that has ended here, and changes a line while trials run."""

    def __init__(self, screen: Screen, study: StudyRow, score: Score) -> None:
        """Begin with nothing under way.

        Args:
            screen: Where it is shown.
            study: The search, or its confirmation.
            score: How far the study is.
        """
        self._screen, self._study, self._score = screen, study, score
        self._running: dict[int, str] = {}
        self._began: dict[int, float] = {}

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        self._began[request.number] = time.monotonic()
        self._running[request.number] = f"from epoch {resumed_from + 1}" if resumed_from else "starts"
        self._change()

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        self._running[number] = f"epoch {report.epoch} of {self._study.spec.epochs}, {report.objective:.4f}"
        self._change()

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        self._running.pop(number, None)
        seconds = time.monotonic() - self._began.pop(number, time.monotonic())
        self._score.refresh()
        value = "" if ended.value is None else f" {ended.value:.4f}"
        again = ", tried again" if reaction.retry else ""
        done = f"{self._score.counted}/{self._score.total} done, best {self._score.best_text()}"
        self._screen.line(
            f"trial {number}: {ended.reason}{value} after {ended.epochs} epochs, {duration(seconds)}{again}; {done}"
        )
        self._change()

    @override
    def trial_lost(self, number: int) -> None:
        self._running.pop(number, None)
        self._began.pop(number, None)
        self._screen.line(f"trial {number}: another worker has taken it over")

    def ended(self) -> None:
        """Leave the line that changes with where the study stands."""
        self._running.clear()
        self._change()

    def _change(self) -> None:
        score, left = self._score, self._score.left_s()
        rest = f", about {duration(left)} left" if left and self._running else ""
        under_way = "".join(f"; trial {number}: {text}" for number, text in sorted(self._running.items()))
        best = f"best {score.best_text()}"
        self._screen.change(f"{self._study.name}: {score.counted}/{score.total} trials, {best}{rest}{under_way}")
