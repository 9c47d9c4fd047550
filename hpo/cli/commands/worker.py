"""``hpo worker``: one more worker on a stored study, from any machine that has its data."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.cli.options import complete_study, json_option, print_json, slots_option, store_options
from hpo.settings import load_settings


@click.command(short_help="Join a stored study from this machine.")
@click.argument("study", metavar="STUDY", shell_complete=complete_study)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The study's data.yaml on this machine, where it lies elsewhere. Its images and labels must be the same.",
)
@click.option("--gpus", default="all", show_default=True, help="all (the CPU where there is none), cpu, or 0,1,...")
@slots_option
@store_options
@json_option
def worker(study: str, data: Path | None, gpus: str, slots_per_gpu: int | None, *, as_json: bool) -> None:
    """Train trials of STUDY until it is finished; wait while there is nothing to do.

    The database (HPO_STORAGE) holds all that is needed of the study but its data and its starting weights. Any number
    of workers may come and go; one a machine, with --slots-per-gpu for more trials at a time.

    SIGTERM or Ctrl-C: running trials stop at their next epoch and wait for whoever goes on. Twice: at once.
    """
    from hpo import wiring
    from hpo.cli.commands import stages
    from hpo.orchestration.stop import StopRequest, on_signals

    settings = load_settings()
    stop = StopRequest()
    with (
        on_signals(stop),
        wiring.joined(study, data, settings, wiring.Offer(gpus, slots_per_gpu)) as site,
    ):
        known = site.known_trials()
        if not as_json:
            devices = ", ".join(site.workspace.devices) + (" (more as memory allows)" if site.workspace.room else "")
            click.echo(f"{site.study.name}: {sum(row.counts for row in known)} trials done; slots here: {devices}")
        stages.work(site, stop, quiet=as_json)
        stage = stages.go_on(site, stop, quiet=as_json)
        status = (stage or site).status()
    if as_json:
        from hpo.cli.commands.study import status_json

        print_json(status_json(status))
    else:
        click.echo(f"{status.name}: {status.state}, {status.budget.counted} of {status.budget.trials} trials")
    if stop.soon:
        raise click.exceptions.Exit(stop.exit_code)
