"""``hpo promote``: the winner, ready to be handed over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo.cli.options import again, find_study, json_option, print_json, store_options, stored, study_argument, who
from hpo.errors import StorageUnavailable

if TYPE_CHECKING:
    from hpo.promotion.promote import Asked, Promoted
    from hpo.promotion.registering import Registered
    from hpo.promotion.training import Trained
    from hpo.wiring.promoting import Promotion

Show = Callable[[str, int, float], None]


@click.command(short_help="Hand the winner over: train it finally, with its evidence and a check.")
@store_options
@study_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new folder.")
@click.option("--trial", type=click.IntRange(min=0), help="This trial instead of the winner.")
@click.option("--with-val", is_flag=True, help="Train on train and val; the last epoch counts.")
@click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(["onnx", "openvino", "engine"]),
    help="Also in this format, checked against the .pt; may be given several times.",
)
@click.option("--register", metavar="NAME", help="Of the model in MLflow's registry; default: the study's name.")
@click.option("--no-register", is_flag=True, help="Leave the registry alone.")
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), help="The data.yaml, where it lies elsewhere.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or a CUDA index such as 0.")
@json_option
def promote(  # noqa: PLR0913  (a command has as many arguments as options)
    study: str | None,
    output: Path,
    trial: int | None,
    *,
    exports: tuple[str, ...],
    register: str | None,
    data: Path | None,
    device: str,
    with_val: bool,
    no_register: bool,
    as_json: bool,
) -> None:
    """Train the winner of STUDY for the last time and put it into DIR: weights, settings, operating point, model card.

    The winner is the confirmed one; without a confirmation the best trial. A fresh process loads DIR and must find the
    numbers of the card again. Then it becomes a version in MLflow's model registry.

    Ctrl-C, and run it again to go on: DIR appears when it is complete, not before.
    """
    if no_register and register is not None:
        raise click.UsageError("--register and --no-register exclude each other")
    from hpo import wiring
    from hpo.promotion.promote import Asked, chosen_exports

    with stored() as (settings, storage):
        row = find_study(storage, study)
        name = None if no_register else register or row.name
        asked = Asked(output.expanduser().absolute(), trial, with_val, chosen_exports(exports), name)
        planned = wiring.promotion(storage, row, asked, settings, (data, device, who()))
        if not as_json:
            _say_what(planned)
        trained = _train(planned, quiet=as_json)
        with _progress(quiet=as_json) as show:
            made, wanted = planned.make(trained, show)
        registered, outage = None, None
        if wanted is not None:
            try:
                with _progress(quiet=as_json) as show:
                    registered = planned.register(wanted, show)
            except StorageUnavailable as error:
                outage = error
    if as_json:
        print_json(_json(asked, made, registered))
    else:
        _print(asked, made, registered)
    if outage is not None:
        raise StorageUnavailable(f"{asked.output} is complete, but not registered yet: {outage}") from outage


def _say_what(planned: Promotion) -> None:
    on = "train and val" if planned.asked.with_val else "train"
    click.echo(f"{planned.study.name}: {planned.choice.why}")
    click.echo(f"final training: {planned.training.epochs} epochs on {on}")


def _train(planned: Promotion, *, quiet: bool) -> Trained:
    from hpo.orchestration.stop import StopRequest, on_signals
    from hpo.promotion.training import Stopped

    stop = StopRequest()
    try:
        with on_signals(stop), _epochs(planned.training.epochs, quiet=quiet) as show:
            return planned.train(stop, show)
    except Stopped as stopped:
        click.echo(f"{stopped}; go on: {again()}", err=True)
        raise click.exceptions.Exit(stop.exit_code or 1) from stopped


@contextmanager
def _epochs(epochs: int, *, quiet: bool) -> Iterator[Show]:
    """A bar on a terminal; in a pipe a line about every tenth of the epochs."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty()) as bars:
        bar = bars.add_task("starting", total=epochs)

        def show(stage: str, epoch: int, value: float) -> None:
            if stage == "epoch":
                bars.update(bar, completed=epoch, description=f"epoch {epoch} of {epochs}, {value:.4f}")
                if bars.disable and not quiet and (epoch % max(1, epochs // 10) == 0 or epoch == epochs):
                    click.echo(f"  epoch {epoch} of {epochs}: {value:.4f}")
            elif stage == "resumed" and not quiet:
                click.echo(f"  goes on with epoch {epoch}")
            elif stage in {"train", "val"}:
                bars.update(bar, completed=epoch - 1 + value * (0.8 if stage == "train" else 1.0))
            else:
                bars.update(bar, description={"load": "loading", "final": "validating"}.get(stage, stage))

        yield show


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each look at images, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty()) as bars:
        bar = bars.add_task("", total=None)

        def show(doing: str, done: int, images: int) -> None:
            bars.update(bar, description=doing, completed=done, total=images or None)

        yield show


def _print(asked: Asked, made: Promoted, registered: Registered | None) -> None:
    from hpo.trial import handed_over as names
    from hpo.trial import wording

    folder = asked.output
    click.echo(f"operating point: {wording.setting(made.found.point)}")
    for split, values in made.found.splits.items():
        seen = ", trained on" if split == "val" and asked.with_val else ""
        look = f", look {made.looks} at this split" if split == "test" else ""
        shown = "  ".join(f"{name} {values[name]:.4f}" for name in ("precision", "recall", "f1", "map50", "map50_95"))
        click.echo(f"{split:5} {made.found.images[split]} images{seen}{look}: {shown}")
    if made.found.finds_nothing:
        click.echo("warning: at this operating point it finds nothing that is right: see the model card", err=True)
    click.echo("checked: a fresh process found the same numbers from the folder alone")
    for form, splits in made.checked["exports"].items():
        missing, asked_for = (sum(each[key] for each in splits.values()) for key in ("missing", "detections"))
        click.echo(f"checked: {names.EXPORTS[form]} makes {asked_for - missing} of {asked_for} detections of best.pt")
    if registered is not None:
        click.echo(f"registered: {registered.name} version {registered.version}, {registered.alias}: {registered.why}")
    predict = f"                  yolo predict cfg={folder / names.PREDICT} source=IMAGES"
    click.echo(
        f"\nwrote {folder}\n"
        f"  {names.CARD}            the evidence, in words\n"
        f"  {names.WEIGHTS}{predict if made.found.point.is_plain else ''}\n"
        f"  {names.HYPERPARAMETERS}     yolo train cfg={folder / names.HYPERPARAMETERS}\n"
        f"  {names.POINT}     for hpo.deploy.load"
    )


def _json(asked: Asked, made: Promoted, registered: Registered | None) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "folder": str(asked.output),
        "trial": made.choice.row.number,
        "why": made.choice.why,
        "confirmed": made.choice.verdict is not None,
        "epochs": made.trained.epochs,
        "with_val": made.trained.with_val,
        "operating_point": made.found.point.to_dict(),
        "metrics": made.found.splits,
        "looks": made.looks,
        "exports": made.checked["exports"],
        "registered": None if registered is None else asdict(registered),
    }
