"""``hpo run`` and ``hpo create``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import again, json_option, print_json, slots_option, store_options
from hpo.errors import UsageError
from hpo.settings import load_settings

if TYPE_CHECKING:
    from hpo.study.records import StudyRow

FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")


@click.command(short_help="Search: run a study file to its end (again: go on).")
@store_options
@FILE
@OVERRIDES
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or a CUDA index such as 0.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Worker processes on this machine, each on the next GPU in turn.",
)
@slots_option
@json_option
def run(
    file: Path, overrides: tuple[str, ...], device: str, workers: int, slots_per_gpu: int | None, *, as_json: bool
) -> None:
    """Run the study in FILE until its budget is spent; run it again to go on where it stopped.

    KEY=VALUE overrides a key of the file: train.epochs=3 budget.trials=20 data=other/data.yaml

    Ctrl-C once: running trials stop at their next epoch and can be resumed. Twice: at once.
    """
    from hpo import wiring
    from hpo.cli.commands import stages
    from hpo.cli.pages.summary import opening_line, print_summary
    from hpo.confirmation import record
    from hpo.orchestration.stop import StopRequest, on_signals

    settings = load_settings()
    if workers > 1 and slots_per_gpu is None:
        raise UsageError(
            "--slots-per-gpu auto: each of several workers would take all memory for its own: leave --workers out, or "
            "use one worker for all GPUs: hpo worker STUDY --gpus all --slots-per-gpu auto"
        )
    stop = StopRequest()
    with wiring.opened(file, overrides, settings, wiring.Offer(device, slots_per_gpu)) as site:
        known = site.known_trials()
        if not as_json:
            click.echo(opening_line(site.study, sum(trial.counts for trial in known)))
            if not known:
                _say_what_was_taken_over(site.study)
        with site.more_workers(workers - 1, device, slots_per_gpu or 1) as others:
            if workers > 1 and not as_json:
                click.echo(f"{workers} workers; what the others say: {site.logs}/worker-*.log")
            with on_signals(stop, others.forward):
                stages.work(site, stop, quiet=as_json)
                stage = stages.go_on(site, stop, quiet=as_json)
        if stage is not None and not stop.soon:
            stages.verdict(stage)
        status, confirmed = site.status(), record.stage_of(site.storage, site.study)
        unsynced = site.unsynced + (0 if stage is None else stage.unsynced)
    if as_json:
        from hpo.cli.commands.study import status_json

        print_json(status_json(status, confirmed))
    else:
        go_on = again() if stop.soon else None
        print_summary(status, settings, stage=confirmed, again=go_on, unsynced=unsynced)
    if stop.soon:
        raise click.exceptions.Exit(stop.exit_code)


@click.command(short_help="Store a study without running it.")
@store_options
@FILE
@OVERRIDES
@json_option
def create(file: Path, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Check FILE, initialise the database if it is empty, and store the study for later runs."""
    from hpo import wiring

    settings = load_settings()
    with wiring.opened(file, overrides, settings) as site:
        study = site.study
    if as_json:
        print_json({"study": study.name, "uuid": study.uuid, "created": study.created_at})
    else:
        _say_what_was_taken_over(study)
        click.echo(f"study {study.name!r} is stored. Run it: {again('run', of='create')}")


def _say_what_was_taken_over(study: StudyRow) -> None:
    for line in study.facts.warm.told:
        click.echo(f"warm start from {line}")
