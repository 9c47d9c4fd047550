"""`hpo data`: data sets to try things with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from hpo.api.data import demo_data
from hpo.dataset import description, digits


@click.group()
def data() -> None:
    """Data sets to try things with."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path), default=digits.DEFAULT_FOLDER)
@click.option("--if-missing", is_flag=True, help="Leave a set that is there as it is, instead of calling it an error.")
def demo(folder: Path, *, if_missing: bool) -> None:
    """Make the demo set: scenes of handwritten digits, in FOLDER (default: data/digits).

    The pictures are composed from the scans that scikit-learn brings along; nothing is fetched, and every run makes the
    same files. The quick-start study trains on them.
    """
    yaml = demo_data(folder, if_missing=if_missing)
    summary = description.describe(yaml)
    counts = ", ".join(f"{split} {part.images} scenes ({part.boxes} digits)" for split, part in summary.splits.items())
    click.echo(f"demo set in {folder}: {counts}; classes {', '.join(summary.names)}")
    click.echo(f"next: hpo run studies/quickstart.yaml{_override(folder, yaml)}")


def _override(folder: Path, yaml: Path) -> str:
    """The quick-start study names the default folder; for another one it needs an override."""
    return "" if folder == digits.DEFAULT_FOLDER else f" {shlex.quote(f'data={yaml.resolve()}')}"
