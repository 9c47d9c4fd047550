"""``hpo worker``: one more worker on a stored study, from any machine that has its data."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.cli.options import (
    complete_study,
    json_option,
    print_json,
    slots_option,
    store_options,
    versions_allowed,
    worker_options,
)
from hpo.settings import load_settings


@click.command(short_help="Join a stored study from this machine.")
@click.argument("study", metavar="STUDY", shell_complete=complete_study)
@worker_options
@slots_option
@store_options
@json_option
def worker(study: str, data: Path | None, gpus: str, slots_per_gpu: int | None, *, as_json: bool) -> None:
    """Train trials of STUDY until it is finished; wait while there is nothing to do.

    The database (HPO_STORAGE) holds all that is needed of the study but its data and its starting weights. Any number
    of workers may come and go; one a machine, with --slots-per-gpu for more trials at a time.

    SIGTERM or Ctrl-C: running trials stop at their next epoch and wait for whoever goes on. Twice: at once.
    """
    from hpo.api import stages
    from hpo.api.documents import status_json
    from hpo.cli.commands.stages import TerminalView
    from hpo.orchestration.stop import StopRequest, on_signals
    from hpo.wiring.machine import SlotRequest
    from hpo.wiring.opening import joined

    settings = load_settings()
    stop, view = StopRequest(), TerminalView(quiet=as_json)
    slots = SlotRequest(gpus, slots_per_gpu)
    with on_signals(stop), joined(study, data, settings, slots, allow_versions=versions_allowed()) as local:
        if not as_json:
            devices = ", ".join(local.workspace.devices)
            more = " (more as memory allows)" if local.workspace.memory else ""
            done = sum(row.counts for row in local.known_trials())
            click.echo(f"{local.study.name}: {done} trials done; slots here: {devices}{more}")
        stages.work(local, stop, view)
        stage = stages.go_on(local, stop, view)
        status = (stage or local).status()
    if as_json:
        print_json(status_json(status))
    else:
        click.echo(f"{status.name}: {status.state}, {status.budget.counted} of {status.budget.trials} trials")
    if stop.soon:
        raise click.exceptions.Exit(stop.exit_code)
