"""``hpo init``: a study file for a dataset."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import MANY, MOST_PIXELS, FiniteRange
from hpo.cli.terminal import say
from hpo.errors import UsageError
from hpo.settings import load_settings
from hpo.texts import visible

if TYPE_CHECKING:
    from hpo.wiring.drafting import Drafted

DEFAULT_FILE = Path("study.yaml")
MODEL = "yolov8n.pt"


@click.command(short_help="Write a study file for a dataset.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_FILE)
@click.option("--data", type=click.Path(path_type=Path), help="The data.yaml of a dataset in YOLO format.")
@click.option("--model", help="Weights to start from (yolov8n.pt), or a model to train from scratch (yolov8n.yaml).")
@click.option("--trials", type=click.IntRange(1, MANY), help="The budget in trials.")
@click.option("--hours", type=FiniteRange(0, 87_600, min_open=True), help="The budget in hours: no trial starts later.")
@click.option("--epochs", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Of every trial.")
@click.option(
    "--imgsz", type=click.IntRange(32, MOST_PIXELS), help="Pixels; default: the images' own size, at most 640."
)
@click.option("--objective", default="map50_95", show_default=True, help="What is maximized on val.")
@click.option("--name", default="", help="Name of the study; by default that of FILE, or of the dataset's folder.")
def init(
    file: Path, data: Path | None, model: str | None, trials: int | None, hours: float | None, **options: Any
) -> None:
    """Look at a dataset and write FILE (default: study.yaml), a commented study that `hpo run` takes as it is.

    In a terminal it asks for what the options leave open. Without one it asks nothing, and something that is missing
    ends it with exit code 2. A file that is there is never overwritten.
    """
    from hpo.studyfile.drafting import Draft, name_of
    from hpo.studyfile.text.places import home_expanded
    from hpo.wiring import drafting

    if file.exists():
        raise UsageError(f"{file}: is there already, and is left as it is; name another file: hpo init other.yaml")
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if not asks:
        _refuse_missing(data, model, has_budget=trials is not None or hours is not None)
    source = data or _ask_for_data()
    model = model or click.prompt("Model: weights to start from (.pt), or .yaml to train from scratch", default=MODEL)
    if trials is None and hours is None:
        trials = click.prompt("Trials to spend", type=click.IntRange(1, MANY), default=30)
    name = options.pop("name") or ("" if file == DEFAULT_FILE else name_of(file.stem))
    wanted = Draft(name, "", model, trials, hours, **options)
    _tell(drafting.draft(file, home_expanded(str(source)), wanted, load_settings()))


def _refuse_missing(data: Path | None, model: str | None, *, has_budget: bool) -> None:
    given = {"--data DATA.YAML": data, "--model yolov8n.pt": model, "--trials N (or --hours H)": has_budget or None}
    missing = [option for option, value in given.items() if value is None]
    if missing:
        raise UsageError(f"nobody can be asked here (no terminal): add {', '.join(missing)}")


def _ask_for_data() -> Path:
    from hpo.wiring.drafting import datasets_near

    near = datasets_near(Path())
    for path in near if len(near) > 1 else []:
        say(f"  {path}")
    plain = [str(path) for path in near if str(path) == visible(str(path))]
    return Path(click.prompt("Dataset (its data.yaml)", default=plain[0] if plain else None))


def _tell(drafted: Drafted) -> None:
    facts = drafted.facts
    counts = ", ".join(f"{split} {count} images" for split, count in facts.images.items())
    say(f"data: {counts}; {len(facts.names)} class{'' if len(facts.names) == 1 else 'es'}")
    file = shlex.quote(str(drafted.file))
    say(f"{drafted.file} holds study {drafted.name!r}, with a comment on every choice")
    say(f"next: hpo validate {shlex.quote(str(file))}, then hpo run {shlex.quote(str(file))}")
