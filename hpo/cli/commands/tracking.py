"""``hpo ui`` and ``hpo sync``: MLflow's view of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hpo.api.finding import stored_study
from hpo.cli.options import json_option, print_json, study_argument
from hpo.cli.terminal import say
from hpo.errors import HpoError
from hpo.servers import Address

if TYPE_CHECKING:
    from hpo.api.changing import Sync


@click.command(short_help="Write a study to MLflow again.")
@study_argument
@click.option("--again", is_flag=True, help="Make a new experiment if HPO_HOME has moved: MLflow keeps absolute paths.")
@json_option
def sync(study: str | None, *, again: bool, as_json: bool) -> None:
    """Bring MLflow in line with the database: every trial of STUDY is one run, complete and without duplicates.

    Needed only after MLflow was away, or after its store was deleted. What `hpo promote` could not register is
    registered, too.
    """
    from hpo.api import changing

    with stored_study(study) as (settings, storage, row):
        done = changing.sync(settings, storage, row, again=again)
    if as_json:
        print_json(done.to_dict())
    else:
        _print(done)
    if done.undrawn is not None:
        raise HpoError(done.undrawn)


def _print(done: Sync) -> None:
    runs, stage = done.search, done.confirmation
    say(
        f"{done.study.name}: {runs.runs} trials in MLflow at {done.tracking_uri}: {runs.created} created, "
        f"{runs.updated} updated, {runs.unchanged} unchanged, {runs.duplicates_deleted} duplicates deleted"
        + ("" if stage is None else f"; {stage.runs} runs of its confirmation, {stage.created} created")
    )
    for each in done.registered:
        say(f"registered: {each.name} version {each.version}, {each.alias}: {each.why}")
    for problem in done.problems:
        say(f"not registered: {problem}", err=True)


@click.command(short_help="Open MLflow on a study.")
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
    import webbrowser

    from hpo.tracking import ui as pages

    with stored_study(study) as (settings, _, row):
        is_server = pages.is_server(settings.tracking_uri)

    def show(base: str) -> None:
        url = pages.page(base, row.mlflow_experiment_id)
        say(f"{row.name}: {url}")
        if not pages.is_view(url):
            say(f"MLflow does not hold this study yet: hpo sync {row.name}")
        if not no_open:
            webbrowser.open(url)

    if is_server:
        show(pages.without_credentials(settings.tracking_uri))
        return
    say("starting MLflow's server ...", err=True)
    pages.serve(settings, Address(host, port), show)
