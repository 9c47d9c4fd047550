"""``hpo promote``: the final training of the winner, and the delivered folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from hpo.api.finding import stored_study
from hpo.api.promoting import PromotePlan, Promoting, PromotionView, ShowEpochs, ShowImages
from hpo.cli.options import (
    MANY,
    accept_data_if_asked,
    accept_data_option,
    again,
    data_option,
    device_option,
    json_option,
    print_json,
    study_argument,
)
from hpo.cli.terminal import say

if TYPE_CHECKING:
    from hpo.api.promoting import PromotionResult
    from hpo.wiring.promoting import Promotion


_EXPORT = "Also in this format, checked against the .pt; may be given several times."


@click.command(short_help="Hand the winner over: train it finally, with its evidence and a check.")
@study_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new folder.")
@click.option("--trial", type=click.IntRange(0, MANY), help="This trial instead of the winner.")
@click.option("--with-val", is_flag=True, help="Train on train and val; the last epoch counts.")
@click.option("--export", "exports", multiple=True, type=click.Choice(["onnx", "openvino", "engine"]), help=_EXPORT)
@click.option("--register", metavar="NAME", help="Of the model in MLflow's registry; default: the study's name.")
@click.option("--no-register", is_flag=True, help="Leave the registry alone.")
@data_option
@accept_data_option
@device_option
@json_option
def promote(study: str | None, *, register: str | None, no_register: bool, as_json: bool, **options: Any) -> None:
    """Train the winner of STUDY for the last time and put it into DIR: weights, settings, operating point, model card.

    The winner is the confirmed one; without a confirmation the best trial. A fresh process loads DIR and must find the
    numbers of the card again. Then it becomes a version in MLflow's model registry.

    Ctrl-C, and run it again to go on: DIR appears when it is complete, not before.
    """
    if no_register and register is not None:
        raise click.UsageError("--register and --no-register exclude each other")
    from hpo.orchestration.stop import StopRequest, on_signals
    from hpo.promotion.training import Stopped

    accept_data_if_asked(study, options["data"])
    with stored_study(study) as (settings, storage, row):
        name = None if no_register else register or row.name
        plan = PromotePlan(register=name, **options)
        promoting = Promoting(settings, storage, row, StopRequest(), _TerminalView(quiet=as_json), on_signals)
        try:
            done = promoting.run(plan)
        except Stopped as stopped:
            say(f"{stopped}; go on: {again()}", err=True)
            raise click.exceptions.Exit(promoting.stop.exit_code or 1) from stopped
    if as_json:
        print_json(done.to_dict())
    else:
        _print(done)
    if done.outage is not None:
        said = f"{done.asked.output} is complete, but not registered yet: {done.outage}"
        raise type(done.outage)(said) from done.outage


class _TerminalView(PromotionView):
    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    @override
    def planned(self, promotion: Promotion) -> None:
        if self._quiet:
            return
        on = "train and val" if promotion.asked.with_val else "train"
        say(f"{promotion.builder.study.name}: {promotion.choice.why}")
        say(f"final training: {promotion.training.epochs} epochs on {on}")

    @override
    @contextmanager
    def epochs(self, epochs: int) -> Iterator[ShowEpochs]:
        """Show a bar on a terminal; in a pipe, a line for about every tenth of the epochs."""
        from hpo.cli.console import bars

        with bars(quiet=self._quiet or not sys.stderr.isatty()) as shown:
            bar = shown.add_task("starting", total=epochs)

            def show(stage: str, epoch: int, value: float) -> None:
                if stage == "epoch":
                    shown.update(bar, completed=epoch, description=f"epoch {epoch} of {epochs}, {value:.4f}")
                    if shown.disable and not self._quiet and (epoch % max(1, epochs // 10) == 0 or epoch == epochs):
                        say(f"  epoch {epoch} of {epochs}: {value:.4f}")
                elif stage == "resumed" and not self._quiet:
                    say(f"  goes on with epoch {epoch}")
                elif stage in {"train", "val"}:
                    shown.update(bar, completed=epoch - 1 + value * (0.8 if stage == "train" else 1.0))
                else:
                    shown.update(bar, description={"load": "loading", "final": "validating"}.get(stage, stage))

            yield show

    @override
    @contextmanager
    def images(self) -> Iterator[ShowImages]:
        """Show a bar for each pass over images, on a terminal."""
        from hpo.cli.console import bars

        with bars(quiet=self._quiet or not sys.stderr.isatty()) as shown:
            bar = shown.add_task("", total=None)

            def show(doing: str, done: int, images: int) -> None:
                shown.update(bar, description=doing, completed=done, total=images or None)

            yield show


def _print(done: PromotionResult) -> None:
    from hpo.trial import handed_over as names
    from hpo.trial import wording

    asked, made, registered, folder = done.asked, done.made, done.registered, done.asked.output
    say(f"operating point: {wording.setting(made.found.point)}")
    for split, values in made.found.splits.items():
        seen = ", trained on" if split == "val" and asked.with_val else ""
        look = f", look {made.looks} at this split" if split == "test" else ""
        shown = "  ".join(f"{name} {values[name]:.4f}" for name in ("precision", "recall", "f1", "map50", "map50_95"))
        say(f"{split:5} {made.found.images[split]} images{seen}{look}: {shown}")
    if made.found.finds_nothing:
        say("warning: at this operating point it finds nothing that is right: see the model card", err=True)
    say("checked: a fresh process found the same numbers from the folder alone")
    for form, splits in made.checked["exports"].items():
        missing, asked_for = (sum(each[key] for each in splits.values()) for key in ("missing", "detections"))
        say(f"checked: {names.EXPORTS[form]} makes {asked_for - missing} of {asked_for} detections of best.pt")
    if registered is not None:
        say(f"registered: {registered.name} version {registered.version}, {registered.alias}: {registered.why}")
    predict = f"                  yolo predict cfg={folder / names.PREDICT} source=IMAGES"
    say(
        f"\nwrote {folder}\n"
        f"  {names.CARD}            the evidence, in words\n"
        f"  {names.WEIGHTS}{predict if made.found.point.is_plain else ''}\n"
        f"  {names.HYPERPARAMETERS}     yolo train cfg={folder / names.HYPERPARAMETERS}\n"
        f"  {names.POINT}     for hpo.deploy.load"
    )
