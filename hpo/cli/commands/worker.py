"""``hpo worker``: one more worker on a stored study, from any machine that has its data."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.cli.options import (
    FiniteRange,
    complete_study,
    json_option,
    print_json,
    slots_option,
    store_options,
    versions_allowed,
    worker_options,
)
from hpo.cli.terminal import say
from hpo.settings import load_settings

SECONDS = FiniteRange(0, 31_536_000)
PATIENCE = "Seconds to wait at the start for a database that refuses connections, is full or is starting."
LEAVE_IDLE = "Leave, with exit code 0, after S seconds without a trial. Default: stay until the study is finished."


@click.command(short_help="Join a stored study from this machine.")
@click.argument("study", metavar="STUDY", shell_complete=complete_study)
@worker_options
@slots_option
@click.option("--patience", type=SECONDS, default=600.0, show_default=True, metavar="S", help=PATIENCE)
@click.option("--leave-idle", type=SECONDS, metavar="S", help=LEAVE_IDLE)
@store_options
@json_option
def worker(  # noqa: PLR0913  (a command has as many arguments as options)
    study: str,
    data: Path | None,
    gpus: str,
    slots_per_gpu: int | None,
    patience: float,
    leave_idle: float | None,
    *,
    as_json: bool,
) -> None:
    """Train trials of STUDY until it is finished; wait while there is nothing to do.

    The database (HPO_STORAGE) holds all that is needed of the study but its data and its starting weights. Any number
    of workers may come and go; one a machine, with --slots-per-gpu for more trials at a time.

    SIGTERM or Ctrl-C: running trials stop at their next epoch and wait for whoever goes on. Twice: at once.
    """
    from hpo.api import stages
    from hpo.api.documents import status_json
    from hpo.cli.commands.stages import TerminalView
    from hpo.orchestration.patience import Patience
    from hpo.orchestration.stop import StopRequest, on_signals
    from hpo.wiring.machine import SlotRequest
    from hpo.wiring.opening import joined

    settings = load_settings()
    stop, view = StopRequest(), TerminalView(quiet=as_json)
    waiting, slots = Patience(patience, 0.0, stop), SlotRequest(gpus, slots_per_gpu)
    with (
        on_signals(stop),
        joined(study, data, settings, slots, waiting, allow_versions=versions_allowed()) as local,
    ):
        local.leave_idle_s = leave_idle
        if not as_json:
            devices = ", ".join(local.workspace.devices)
            more = " (more as memory allows)" if local.workspace.memory else ""
            done = sum(row.counts for row in local.known_trials())
            say(f"{local.study.name}: {done} trials done; slots here: {devices}{more}")
        stages.work(local, stop, view)
        stage = stages.go_on(local, stop, view)
        status = (stage or local).status()
    if as_json:
        print_json(status_json(status))
    else:
        say(f"{status.name}: {status.state}, {status.budget.counted} of {status.budget.trials} trials")
    if stop.soon:
        raise click.exceptions.Exit(stop.exit_code)
