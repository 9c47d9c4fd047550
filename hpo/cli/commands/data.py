"""`hpo data`: data sets to try things with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from hpo.api.data import demo_data
from hpo.cli.terminal import say
from hpo.dataset import description, digits

QUICKSTART = Path("studies", "quickstart.yaml")


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
    say(f"demo set in {folder}: {counts}; classes {', '.join(summary.names)}")
    say(f"next: {_next(folder, yaml)}")


def _next(folder: Path, yaml: Path) -> str:
    """Return the next command: in a checkout with the quick-start study, elsewhere with the user's own study."""
    if not QUICKSTART.is_file():
        choices = f"--data {shlex.quote(str(yaml))} --model yolov8-w125.yaml --trials 8 --epochs 8"
        return f"hpo init {choices}, then hpo run study.yaml"
    # the quick-start study names the default folder; another folder needs an override
    override = "" if folder == digits.DEFAULT_FOLDER else f" {shlex.quote(f'data={yaml.resolve()}')}"
    return f"hpo run {QUICKSTART}{override}"
