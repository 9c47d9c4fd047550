"""``hpo report``: the study as one file to send to a colleague."""

from __future__ import annotations

from pathlib import Path

import click

from hpo import files
from hpo.cli.options import find_study, store_options, stored, study_argument

FORMATS = {".html": "html", ".htm": "html", ".md": "md"}


@click.command(short_help="The study as one file to send to a colleague.")
@store_options
@study_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    required=True,
    help="What to write: FILE.html or FILE.md.",
)
@click.option("--format", "form", type=click.Choice(["html", "md"]), help="Where FILE's ending does not say it.")
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), help="The data.yaml, where it lies elsewhere.")
def report(study: str | None, output: Path, form: str | None, data: Path | None) -> None:
    """Write a report on STUDY: question, verdict, winner against defaults, history, what mattered, trials, data, cost.

    The HTML file stands alone: it needs no network and nothing beside it.
    """
    chosen = form or FORMATS.get(output.suffix.lower())
    if chosen is None:
        raise click.UsageError(f"--output {output}: ends neither in .html nor in .md; say which with --format")
    from hpo.confirmation import record
    from hpo.confirmation.words import paragraph
    from hpo.report.gather import gather

    with stored() as (_, storage):
        row = find_study(storage, study)
        stage = record.stage_of(storage, row)
        told = () if stage is None or stage.verdict is None else paragraph(stage.verdict)
        found = gather(storage, row, data=data, verdict=told)
    if chosen == "html":
        from hpo.report.html import render
    else:
        from hpo.report.markdown import render
    text = render(found)
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(output, text)
    click.echo(f"wrote {output} ({len(text.encode()) / 1024:.0f} KiB)")
