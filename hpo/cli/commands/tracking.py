"""``hpo ui`` and ``hpo sync``: MLflow's view of a study."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hpo.cli.options import find_study, json_option, print_json, store_options, stored, study_argument, who
from hpo.errors import HpoError, StorageUnavailable

if TYPE_CHECKING:
    from hpo.settings import Settings
    from hpo.tracking.projection import Projector, Synced


@click.command(short_help="Write a study to MLflow again.")
@store_options
@study_argument
@json_option
def sync(study: str | None, *, as_json: bool) -> None:
    """Bring MLflow in line with the database: every trial of STUDY is one run, complete and without duplicates.

    Needed only after MLflow was away, or after its store was deleted. What `hpo promote` could not register is
    registered, too.
    """
    from hpo import wiring
    from hpo.promotion import registering
    from hpo.study.studies import lifecycle

    with stored() as (settings, storage):
        row = find_study(storage, study)
        search = wiring.projector(settings, storage, row)
        done = search.everything()
        stage = lifecycle.confirmation(storage, row.name)
        runs = None if stage is None else wiring.projector(settings, storage, stage).everything()
        registered, problems = registering.catch_up(storage, row, wiring.bench(settings, row, "auto"), who())
        undrawn = _draw(search)  # last: nothing else hangs on it
    if as_json:
        more = {"confirm": runs and asdict(runs), "registered": [asdict(each) for each in registered]}
        print_json({"study": row.name, "tracking_uri": _shown(settings), **asdict(done), **more, "undrawn": undrawn})
    else:
        _print(row.name, settings, done, runs)
        for each in registered:
            click.echo(f"registered: {each.name} version {each.version}, {each.alias}: {each.why}")
        for problem in problems:
            click.echo(f"not registered: {problem}", err=True)
    if undrawn is not None:
        raise HpoError(undrawn)


def _draw(search: Projector) -> str | None:
    """Why the study's plots could not be drawn."""
    try:
        search.plots()
    except StorageUnavailable:
        raise
    except HpoError as error:
        return str(error)
    return None


def _print(name: str, settings: Settings, done: Synced, runs: Synced | None) -> None:
    click.echo(
        f"{name}: {done.runs} trials in MLflow at {_shown(settings)}: {done.created} created, "
        f"{done.updated} updated, {done.unchanged} unchanged, {done.duplicates_deleted} duplicates deleted"
        + ("" if runs is None else f"; {runs.runs} runs of its confirmation, {runs.created} created")
    )


@click.command(short_help="Open MLflow on a study.")
@store_options
@study_argument
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="0.0.0.0 shows it to the whole network, without a password."
)
@click.option("--no-open", is_flag=True, help="Print the address, open no browser.")
def ui(study: str | None, port: int, host: str, *, no_open: bool) -> None:
    """Serve MLflow's web pages and open STUDY in a prepared view: trials sorted by value, what was sampled, charts.

    Where MLFLOW_TRACKING_URI names a server already, only its address is printed and opened. Ctrl-C ends the server.
    """
    from hpo.servers import Address
    from hpo.tracking import ui as pages

    with stored() as (settings, storage):
        row = find_study(storage, study)

    def show(base: str) -> None:
        url = pages.page(base, row.mlflow_experiment_id)
        click.echo(f"{row.name}: {url}")
        if not pages.is_view(url):
            click.echo(f"MLflow does not hold this study yet: hpo sync {row.name}")
        if not no_open:
            pages.open_browser(url)

    if pages.is_server(settings.tracking_uri):
        show(pages.without_credentials(settings.tracking_uri))
        return
    click.echo("starting MLflow's server ...", err=True)
    pages.serve(settings, Address(host, port), show)


def _shown(settings: Settings) -> str:
    from hpo.tracking.client import without_password

    return without_password(settings.tracking_uri, settings.tracking_uri)
