"""``hpo sweep``: the best post-processing of a trained detector, without a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from hpo.cli.options import json_option, print_json
from hpo.errors import UsageError
from hpo.settings import load_settings
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import Objective, parse
from hpo.trial.operating_point import SweepPlan

_PLAIN = " and ".join(kind for kind in SUPPRESSING if kind.is_plain)


@click.command(short_help="The best NMS and confidence of trained weights.")
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DATA.yaml", help="The dataset.")
@click.option("--split", type=click.Choice(["val", "train", "test"]), default="val", show_default=True)
@click.option("--imgsz", type=click.IntRange(min=32), help="Pixels; default: the size of the training.")
@click.option(
    "--objective",
    default="f1",
    show_default=True,
    metavar="TEXT",
    help="What to maximize: f1, 'f1 micro', f2, map50_95, map_small, 'recall at precision >= 0.9', ...",
)
@click.option(
    "--kinds",
    default="hard,agnostic",
    show_default=True,
    metavar="LIST",
    help=f"Kinds of suppression: {', '.join(SUPPRESSING)}, or all. `yolo predict` knows {_PLAIN}.",
)
@click.option("--per-class", is_flag=True, help="A confidence threshold for each class.")
@click.option("--max-det", type=click.IntRange(min=1), multiple=True, help="Detections an image; several are tried.")
@click.option("--capture", type=click.Choice(["deploy", "val"]), default="deploy", show_default=True,
              help="What the detector sees: as model.predict, or as model.val.")  # fmt: skip
@click.option("--no-test", is_flag=True, help="Leave a test split of the dataset alone.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or a CUDA index such as 0.")
@click.option("--trust", is_flag=True, help="Load weights that could run code of their author.")
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write files to DIR.")
@json_option
def sweep(  # noqa: PLR0913  (a command has as many arguments as options)
    weights: Path,
    data: Path,
    objective: str,
    kinds: str,
    save: Path | None,
    *,
    per_class: bool,
    max_det: tuple[int, ...],
    split: str,
    imgsz: int | None,
    capture: str,
    no_test: bool,
    device: str,
    trust: bool,
    as_json: bool,
) -> None:
    """The best confidence and suppression of WEIGHTS on a split of DATA.yaml, out of everything possible.

    One inference pass is cached; then every NMS threshold with every confidence is evaluated exactly. The gain over
    Ultralytics' defaults is cross-validated over images, and measured on a test split where the dataset has one.
    """
    from hpo import wiring

    settings = load_settings()
    plan = SweepPlan(kinds=_kinds(kinds), per_class=per_class)
    plan = replace(plan, max_dets=tuple(sorted(set(max_det)))) if max_det else plan
    request = wiring.SweepRequest(weights, data, split, imgsz, capture, device, trust=trust)
    with _progress(quiet=as_json) as progress:
        found = wiring.sweep(request, plan, _objective(objective), settings, with_test=not no_test, progress=progress)
    files = [] if save is None else found.save(save)
    if as_json:
        print_json(found.result.to_dict())
        return
    from hpo.cli.pages.sweep_page import print_sweep

    print_sweep(found.result, weights, found.imgsz, files)


def _kinds(text: str) -> tuple[Kind, ...]:
    if text.strip() == "all":
        return SUPPRESSING
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SUPPRESSING]
    if unknown or not names:
        wrong = f"no kind {', '.join(map(repr, unknown))}" if unknown else "names nothing"
        raise UsageError(f"--kinds {text}: {wrong}; there are {', '.join(SUPPRESSING)}, and all")
    return tuple(dict.fromkeys(Kind(name) for name in names))


def _objective(text: str) -> Objective:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"--objective {error}") from error


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar an inference pass, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bars:
        tasks = {}

        def show(split: str, done: int, images: int) -> None:
            if split not in tasks:
                tasks[split] = bars.add_task(f"predicting {split}", total=images)
            bars.update(tasks[split], completed=done)

        yield show
