"""``hpo best``: the best trial so far, and its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.api.finding import stored_study
from hpo.cli.options import data_option, json_option, print_json, study_argument
from hpo.cli.terminal import say
from hpo.trial.wording import in_python

if TYPE_CHECKING:
    from hpo.orchestration.handover import Handover


@click.command(short_help="The best trial, and its files to use.")
@study_argument
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write its files to DIR.")
@data_option
@json_option
def best(study: str | None, save: Path | None, data: Path | None, *, as_json: bool) -> None:
    """The best trial of STUDY; with --save its weights and two YAML files that Ultralytics reads as they are."""
    from hpo.api.documents import best_json
    from hpo.api.reading import best as best_of
    from hpo.cli.pages.summary import stage_lines, trial_page

    with stored_study(study) as (_, storage, row):
        winner = best_of(storage, row, save, data=data)
    files = winner.files
    if as_json:
        print_json(best_json(winner.row, winner.stage, files, winner.weights))
        return
    trial_page(row.spec, winner.row, [])
    for line in stage_lines(winner.stage):
        say(line)
    if files is None:
        say(f"weights  {winner.weights or 'no longer on this machine'}")
        say(f"next     hpo best {row.name} --save winner")
        return
    say("\n" + "\n".join(_written(files)))


def _written(files: Handover) -> Iterator[str]:
    yield f"wrote {files.weights}"
    yield f"      {files.hyperparameters}    yolo train cfg={files.hyperparameters}"
    if files.predict is not None:
        yield f"      {files.predict}            yolo predict cfg={files.predict} source=IMAGES"
    if files.operating_point is not None:
        yield f"      {files.operating_point}    all that the sweep found"
    if files.predict is None:
        use = in_python(str(files.weights), str(files.operating_point))
        yield f"yolo predict can't do this setting; in Python: {use}"
