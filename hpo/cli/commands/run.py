"""``hpo run`` and ``hpo create``."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.cli.options import (
    MOST_PROCESSES,
    accept_data_if_asked,
    accept_data_option,
    again,
    data_of_file_option,
    decoding,
    device_option,
    file_arguments,
    json_option,
    named_data,
    print_json,
    slots_option,
    store_options,
    trust_option,
    trusted,
    versions_allowed,
    versions_option,
    with_data,
)
from hpo.cli.terminal import say
from hpo.settings import load_settings

_WORKERS = "Worker processes on this machine, each on the next GPU in turn."


@click.command(short_help="Search: run a study file to its end (again: go on).")
@store_options
@file_arguments
@data_of_file_option
@device_option
@click.option("--workers", type=click.IntRange(1, MOST_PROCESSES), default=1, show_default=True, help=_WORKERS)
@slots_option
@versions_option
@accept_data_option
@trust_option
@json_option
def run(
    file: Path, overrides: tuple[str, ...], device: str, workers: int, slots_per_gpu: int | None, *, as_json: bool
) -> None:
    """Run the study in FILE until its budget is spent; run it again to go on where it stopped.

    KEY=VALUE overrides a key of the file: train.epochs=3 budget.trials=20 data=other/data.yaml

    Ctrl-C once: running trials stop at their next epoch and can be resumed. Twice: at once.
    """
    from hpo.api.documents import status_json
    from hpo.api.searching import SearchPlan, search
    from hpo.cli.commands.stages import TerminalView
    from hpo.cli.pages.summary import print_summary
    from hpo.orchestration.stop import StopRequest, on_signals

    accept_data_if_asked(str(file), named_data())
    settings, stop = load_settings(), StopRequest()
    plan = SearchPlan(file, with_data(overrides), device, workers, slots_per_gpu, versions_allowed(), trusted())
    done = search(plan, settings, stop, TerminalView(quiet=as_json), on_signals)
    if as_json:
        print_json(status_json(done.status, done.confirmation))
    else:
        print_summary(done, settings.home, again() if stop.soon else None)
    if stop.soon:
        raise click.exceptions.Exit(stop.exit_code)


@click.command(short_help="Store a study without running it.")
@store_options
@file_arguments
@data_of_file_option
@trust_option
@json_option
def create(file: Path, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Check FILE, initialise the database if it is empty, and store the study for later runs."""
    from hpo.cli.commands.stages import say_what_was_taken_over
    from hpo.wiring.opening import opened

    with opened(
        file, with_data(overrides), load_settings(), trust=trusted(), decoding=lambda: decoding(quiet=as_json)
    ) as local:
        study = local.study
    if as_json:
        print_json({"study": study.name, "uuid": study.uuid, "created": study.created_at})
    else:
        say_what_was_taken_over(study)
        say(f"study {study.name!r} is stored. Run it: {again('run', of='create')}")
