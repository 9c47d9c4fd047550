"""Output while a study runs: a line for each finished trial, and on a terminal bars for the running ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text
from typing_extensions import override

from hpo.api.progress import Score
from hpo.api.view import NoWatcher
from hpo.api.wording import duration, short
from hpo.cli.console import console
from hpo.study.records import StudyRow
from hpo.study.status import StatusRow
from hpo.trial import wording
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.ports import Watcher
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import EXCLUSIVE, Reaction, Reason

STYLES = {Reason.COMPLETE: "green", Reason.PRUNED: "yellow", Reason.GIVEN_BACK: "cyan"}


_STAGES = {
    "load": "loading",
    "final": "validating best.pt",
    "capture": "predicting with best.pt",
    "sweep": "sweeping NMS and confidence",
}


@contextmanager
def watcher(study: StudyRow, ask: Callable[[], StatusRow], *, quiet: bool) -> Iterator[Watcher]:
    """Return bars on a terminal, plain lines in a pipe, nothing with ``quiet``. ``ask`` returns the study's status."""
    out = console(quiet=quiet, soft_wrap=True)
    lines = Lines(out, study, Score(ask))
    if quiet or not out.is_terminal:
        yield lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(28),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=out) as bars:
        yield Bars(lines, bars)


class Lines(NoWatcher):
    """Watcher that prints a line when a trial starts and a line when it ends."""

    def __init__(self, console: Console, study: StudyRow, score: Score) -> None:
        self.console = console
        self.study = study
        self.score = score
        self.started_at: dict[int, float] = {}
        """Trials that run here -> monotonic time of their start."""
        self._just_started: int | None = None
        """Trial of the last printed line, if that line says that it starts."""

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        self.started_at[request.number] = time.monotonic()
        self._just_started = request.number
        again = f" (attempt {request.attempt}, from epoch {resumed_from + 1})" if request.attempt > 1 else ""
        first = f"baseline: {self.study.spec.baseline_name}"
        what = first if self.is_baseline(request) else settings_text(self.study, request)
        planned = self.study.plan
        if planned:
            repeats = planned[request.ordinal].of
            what = f"{what if repeats is None else f'trial {repeats} again: {what}'}  seed={request.train['seed']}"
        self.console.print(Text.assemble((self._name(request.number), "bold"), f"{again}  ", (what, "dim")))

    def best_text(self) -> str:
        """Return the text about the best trial; empty in a confirmation, where the best run has no meaning."""
        return "" if self.study.plan else f", best {self.score.best_text()}"

    def _name(self, number: int) -> str:
        return f"run {number}" if self.study.plan else f"trial {number}"

    def is_baseline(self, request: TrialRequest) -> bool:
        planned = self.study.plan
        return planned[request.ordinal].baseline if planned else self.study.spec.baseline and request.ordinal == 0

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        which = "" if number == self._just_started else f"{self._name(number)} "
        self._just_started = None
        seconds = time.monotonic() - self.started_at.pop(number)
        self.score.refresh()
        value = f" {self.study.spec.objective} {ended.value:.4f}" if ended.value is not None else ""
        detail = f": {ended.detail}" if ended.detail else ""
        left = self.score.left_s()
        again = ", tried again" if reaction.retry else ""
        if reaction == EXCLUSIVE and ended.reason is not Reason.GIVEN_BACK:
            again = ", tried again alone"
        rest = f", about {duration(left)} left" if left else ""
        self.console.print(
            Text.assemble(
                f"  {which}",
                (str(ended.reason), STYLES.get(ended.reason, "red")),
                f"{value} after {ended.epochs} epochs, {duration(seconds)}{detail}{again}  ",
                (f"{self.score.counted}/{self.score.total} done{self.best_text()}{rest}", "dim"),
            )
        )
        if ended.swept is not None:
            found = ended.swept
            self.console.print(f"  at {wording.setting(found.best.point)}: {wording.gain(found)}", style="dim")

    @override
    def trial_lost(self, number: int) -> None:
        self.started_at.pop(number, None)
        self._just_started = None
        text = f" {self._name(number)}: another worker has taken it over"
        self.console.print(Text.assemble("  ", ("lost", "red"), text))


class Bars(Watcher):
    """Watcher that prints the lines and, below them, a bar for the study and a bar for each trial that runs here."""

    def __init__(self, lines: Lines, bars: Progress) -> None:
        self._lines = lines
        self._bars = bars
        self._study = bars.add_task(lines.study.name, total=lines.score.total, completed=lines.score.counted, note="")
        self._trials: dict[int, TaskID] = {}
        self._objectives: dict[int, str] = {}

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        self._lines.trial_started(request, resumed_from=resumed_from)
        self._trials[request.number] = self._bars.add_task(
            f"trial {request.number}", total=self._lines.study.spec.epochs, completed=resumed_from, note="starting"
        )
        self._note_study()

    @override
    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        done = epoch - 1 + fraction * (0.8 if stage == "train" else 1.0) if stage in {"train", "val"} else epoch
        shown = _STAGES.get(stage, f"epoch {epoch}{self._objectives.get(number, '')}")
        self._bars.update(self._trials[number], completed=done, note=shown)
        self._note_study()

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        self._objectives[number] = f", last {report.objective:.4f}"

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        self._remove(number)
        self._lines.trial_ended(number, ended, reaction)
        self._note_study()

    @override
    def trial_lost(self, number: int) -> None:
        self._remove(number)
        self._lines.trial_lost(number)

    def _remove(self, number: int) -> None:
        self._objectives.pop(number, None)
        if number in self._trials:
            self._bars.remove_task(self._trials.pop(number))

    def _note_study(self) -> None:
        score = self._lines.score
        left = score.left_s()
        note = f"{score.counted}/{score.total}{self._lines.best_text()}" + (f", {duration(left)} left" if left else "")
        self._bars.update(self._study, completed=score.counted, total=score.total, note=note)


def settings_text(study: StudyRow, request: TrialRequest) -> str:
    """Return the sampled values of a trial in short form."""
    point = {} if request.operating_point is None else request.operating_point.to_dict()
    values = {**request.train, **point}
    return " ".join(f"{name}={short(values[name])}" for name in study.spec.searched.names if name in values)
