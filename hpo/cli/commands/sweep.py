"""``hpo sweep``: the best post-processing of a trained detector, without a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hpo.api.sweeping import SweepOptions, swept
from hpo.cli.options import MOST_PIXELS, device_option, json_option, print_json
from hpo.cli.terminal import say
from hpo.settings import load_settings
from hpo.trial.kinds import SUPPRESSING

_CAPTURE = "What the detector sees: as model.predict, or as model.val."
_OBJECTIVE = "What to maximize: f1, 'f1 micro', f2, map50_95, map_small, 'recall at precision >= 0.9', ..."
_MAX_DET = "Detections an image; several are tried. Default: 300, and 1000 where an image has over 100 labels."
_PLAIN = " and ".join(kind for kind in SUPPRESSING if kind.is_plain)
_KINDS = f"Kinds of suppression: {', '.join(SUPPRESSING)}, or all. `yolo predict` knows {_PLAIN}."


@click.command(short_help="The best NMS and confidence of trained weights.")
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DATA.yaml", help="The dataset.")
@click.option("--split", type=click.Choice(["val", "train", "test"]), default="val", show_default=True)
@click.option("--imgsz", type=click.IntRange(32, MOST_PIXELS), help="Pixels; default: the size of the training.")
@click.option("--objective", default="f1", show_default=True, metavar="TEXT", help=_OBJECTIVE)
@click.option("--kinds", default="hard,agnostic", show_default=True, metavar="LIST", help=_KINDS)
@click.option("--per-class", is_flag=True, help="A confidence threshold for each class.")
@click.option("--max-det", type=click.IntRange(1, 100_000), multiple=True, help=_MAX_DET)
@click.option("--capture", type=click.Choice(["deploy", "val"]), default="deploy", show_default=True, help=_CAPTURE)
@click.option("--no-test", is_flag=True, help="Leave a test split of the dataset alone.")
@device_option
@click.option("--trust", is_flag=True, help="Load weights that could run code of their author.")
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write files to DIR.")
@json_option
def sweep(  # noqa: PLR0913  (a command has as many arguments as options)
    *,
    kinds: str,
    objective: str,
    per_class: bool,
    max_det: tuple[int, ...],
    no_test: bool,
    save: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """The best confidence and suppression of WEIGHTS on a split of DATA.yaml, out of everything possible.

    One inference pass is cached; then every NMS threshold with every confidence is evaluated exactly. The gain over
    Ultralytics' defaults is cross-validated over images, and measured on a test split where the dataset has one.
    """
    from hpo.training.measuring.predictions import PredictionsRequest

    request = PredictionsRequest(**options)
    search = SweepOptions(_names(kinds), per_class, max_det, objective, not no_test)
    with _progress(quiet=as_json) as progress:
        found = swept(request, search, load_settings(), progress)
    files = [] if save is None else found.save(save)
    if as_json:
        print_json(found.result.to_dict())
        return
    from hpo.cli.pages.sweep_page import print_sweep

    print_sweep(found.result, request.weights, found.imgsz, files)
    for caution in found.cautions:
        say(f"{caution} ({request.data})")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each inference pass, on a terminal."""
    from hpo.cli.console import bars

    with bars(quiet=quiet) as shown:
        tasks = {}

        def show(split: str, done: int, images: int) -> None:
            if split not in tasks:
                tasks[split] = shown.add_task(f"predicting {split}", total=images)
            shown.update(tasks[split], completed=done)

        yield show
