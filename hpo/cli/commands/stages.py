"""A worker's way through a study's stages: the search, then the confirmation where one is asked for or begun."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hpo.cli.options import who

if TYPE_CHECKING:
    from hpo.evidence.document import VerdictDocument
    from hpo.orchestration.stop import StopRequest
    from hpo.wiring import Opened


def work(site: Opened, stop: StopRequest, *, quiet: bool) -> None:
    """Until the study of ``site`` is finished or a stop is asked for."""
    from hpo.cli.pages.live import watcher

    with watcher(site.study, site.status, quiet=quiet) as view:
        site.work(view, stop)


def go_on(search: Opened, stop: StopRequest, *, quiet: bool) -> Opened | None:
    """The confirmation stage of a finished search, worked on until it is finished; None where there is none to do, as
    for a worker that has joined the stage itself.
    """
    from hpo.confirmation.stage import candidates
    from hpo.study.studies import lifecycle

    if stop.soon or search.study.plan or search.status().finished is None:
        return None
    begun = lifecycle.confirmation(search.storage, search.study.name) is not None
    if not begun and search.study.spec.confirm is None:
        return None
    if not begun and not candidates(search.known_trials(), 1):
        click.echo("nothing to confirm: no trial beside the baseline is complete", err=True)
        return None
    return confirm(search.confirmation(), stop, quiet=quiet)


def confirm(stage: Opened, stop: StopRequest, *, quiet: bool) -> Opened:
    """Work on a stage until it is finished."""
    done, planned = sum(row.counts for row in stage.known_trials()), len(stage.study.plan)
    if not quiet and done < planned:
        seeds = f"{stage.study.spec.confirm.seeds} seeds each" if stage.study.spec.confirm else ""
        listed = dict.fromkeys(str(run.of) for run in stage.study.plan if not run.baseline)
        trials = f"trial{'s' if len(listed) > 1 else ''} {', '.join(listed)}"
        click.echo(f"confirmation: the baseline and {trials}, {seeds}; {done} of {planned} runs done")
    work(stage, stop, quiet=quiet)
    return stage


def verdict(stage: Opened) -> VerdictDocument | None:
    """Of a stage, computed where it is not stored yet; None before the stage is finished."""
    if stage.status().finished is None:
        return None

    def show(done: int, runs: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\rpredicting: run {done + 1} of {runs} ", err=True, nl=done + 1 == runs)

    return stage.verdict(who(), show)
