"""Terminal output for a study's stages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from typing_extensions import override

from hpo.api.view import View
from hpo.cli.options import decoding
from hpo.cli.terminal import say, say_again

if TYPE_CHECKING:
    from hpo.study.records import StudyRow, TrialRow
    from hpo.study.status import StatusRow
    from hpo.trial.ports import Watcher
    from hpo.wiring.opening import LocalStudy


class TerminalView(View):
    """Bars and lines; with ``quiet``, only the output to stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    @override
    def decoding(self) -> AbstractContextManager[Callable[[int, int], None]]:
        return decoding(quiet=self._quiet)

    @override
    def opened(self, study: LocalStudy, known: Sequence[TrialRow]) -> None:
        from hpo.cli.pages.summary import opening_line

        if self._quiet:
            return
        say(opening_line(study.study, sum(trial.counts for trial in known)))
        if not known:
            say_what_was_taken_over(study.study)

    @override
    def workers_started(self, study: LocalStudy, workers: int) -> None:
        if workers > 1 and not self._quiet:
            say(f"{workers} workers; what the others say: {study.logs}/worker-*.log")

    @override
    def watcher(self, study: StudyRow, ask: Callable[[], StatusRow]) -> AbstractContextManager[Watcher]:
        from hpo.cli.pages.live import watcher

        return watcher(study, ask, quiet=self._quiet)

    @override
    def nothing_to_confirm(self) -> None:
        say("nothing to confirm: no trial beside the baseline is complete", err=True)

    @override
    def confirming(self, stage: LocalStudy, done: int) -> None:
        if self._quiet:
            return
        spec = stage.study.spec
        seeds = f"{spec.confirm.seeds} seeds each" if spec.confirm else ""
        listed = dict.fromkeys(str(run.of) for run in stage.study.plan if not run.baseline)
        trials = f"trial{'s' if len(listed) > 1 else ''} {', '.join(listed)}"
        say(f"confirmation: the baseline and {trials}, {seeds}; {done} of {len(stage.study.plan)} runs done")

    @override
    def predicting(self, done: int, runs: int) -> None:
        if sys.stderr.isatty():
            say_again(f"predicting: run {done + 1} of {runs}")
            if done + 1 == runs:
                say(err=True)


def say_what_was_taken_over(study: StudyRow) -> None:
    """Print what a new study took over from earlier ones, one line each."""
    for line in study.facts.warm.told:
        say(f"warm start from {line}")
