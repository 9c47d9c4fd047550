"""``hpo best``: the winner so far, and its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli.options import find_study, json_option, print_json, store_options, stored, study_argument
from hpo.errors import UsageError
from hpo.trial.wording import in_python

if TYPE_CHECKING:
    from hpo.orchestration.handover import Handover


@click.command(short_help="The best trial, and its files to use.")
@store_options
@study_argument
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write its files to DIR.")
@json_option
def best(study: str | None, save: Path | None, *, as_json: bool) -> None:
    """The best trial of STUDY; with --save its weights and two YAML files that Ultralytics reads as they are."""
    from hpo.cli.commands.study import trial_json
    from hpo.cli.pages.summary import stage_lines, trial_page

    with stored() as (_, storage):
        from hpo.confirmation import record
        from hpo.orchestration import handover
        from hpo.study.studies import snapshot

        row = find_study(storage, study)
        winner = snapshot.status(storage, row).best
        if winner is None:
            raise UsageError(f"study {row.name!r} has no complete trial yet; see: hpo status {row.name}")
        winner = snapshot.trial(storage, row, winner.number)
        stage = record.stage_of(storage, row)
        files = None if save is None else handover.save(row.spec, winner, save)
        weights = files.weights if files else handover.weights_of(winner)
    if as_json:
        facts = trial_json(winner)
        print_json(
            {name: facts[name] for name in ("number", "value", "params", "metrics", "operating_point", "sweep")}
            | {
                "confirm": None if stage is None else stage.to_dict(),
                "weights": None if weights is None else str(weights),
                "hyperparameters": None if files is None else str(files.hyperparameters),
                "predict": None if files is None else _text(files.predict),
                "operating_point_file": None if files is None else _text(files.operating_point),
            }
        )
        return
    trial_page(row.spec, winner, [])
    for line in stage_lines(stage):
        click.echo(line)
    if files is None:
        click.echo(f"weights  {weights or 'no longer on this machine'}\nnext     hpo best {row.name} --save winner")
        return
    click.echo("\n" + "\n".join(_written(files)))


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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
