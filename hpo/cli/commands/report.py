"""``hpo report``: the study as one file to send to a colleague."""

from __future__ import annotations

from pathlib import Path

import click

from hpo.api.finding import stored_study
from hpo.api.reading import FORMATS, ReportFormat, write_report
from hpo.cli.options import data_option, study_argument
from hpo.cli.terminal import say

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="The study as one file to send to a colleague.")
@study_argument
@click.option("--output", type=FILE, metavar="FILE", required=True, help="What to write: FILE.html or FILE.md.")
@click.option("--format", "form", type=click.Choice(["html", "md"]), help="Where FILE's ending does not say it.")
@data_option
def report(study: str | None, output: Path, form: ReportFormat | None, data: Path | None) -> None:
    """Write a report on STUDY: question, verdict, winner against defaults, history, what mattered, trials, data, cost.

    The HTML file stands alone: it needs no network and nothing beside it.
    """
    chosen = form or FORMATS.get(output.suffix.lower())
    if chosen is None:
        raise click.UsageError(f"--output {output}: ends neither in .html nor in .md; say which with --format")
    with stored_study(study) as (_, storage, row):
        size = write_report(storage, row, output, chosen, data=data)
    say(f"wrote {output} ({size / 1024:.0f} KiB)")
