"""Output of a sweep's result for people."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.table import Table
from rich.text import Text

from hpo.cli.console import console
from hpo.trial import wording
from hpo.trial.operating_point import Rated, SweepResult

SCORES = (("P", "precision"), ("R", "recall"), ("F1", "f1"), ("mAP50", "map50_all"), ("mAP50-95", "map50_95_all"))


def print_sweep(result: SweepResult, weights: Path, imgsz: int, files: list[Path]) -> None:
    """Print a table of the defaults, the best of each kind and the best of all; then the verdict and the next
    commands.
    """
    out = console()
    seen = "model.predict" if result.capture == "deploy" else "model.val"
    tried = f"{result.settings} suppression settings, {result.points:,} exact operating points"
    where = f"on {result.images} images at {imgsz} px, as {seen} sees them"
    out.print(Text.assemble((weights.name, "bold"), f" {where}: {tried} in {result.seconds:.2f} s"))
    out.print(_table(result))
    out.print(f"\n{wording.gain(result)}")
    if not result.default_feasible:
        out.print(f"The defaults do not meet the conditions of {result.objective}.")
    scores = f"{result.in_sample:.4f} on the images that chose it"
    scores += f", {result.value:.4f} {wording.measured(result.images)}" if result.is_cross_validated else ""
    out.print(f"{result.objective}: {scores}. AP is of the suppression, over all confidences.", style="dim")
    for line in _next(files):
        out.print(line)


def _table(result: SweepResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", "suppression", "setting"):
        table.add_column(name)
    for name in (*(title for title, _ in SCORES), "gain, 95% interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("default", str(result.default.point.kind), *_row(result.default), "")
    for kind in result.by_kind:
        chosen, gain = kind.best.point == result.best.point, kind.gain
        interval = f"{gain.value:+.4f}  {gain.low:+.4f} to {gain.high:+.4f}"
        cells = ("best" if chosen else "", str(kind.best.point.kind), *_row(kind.best), interval)
        table.add_row(*cells, style="bold green" if chosen else None)
    return table


def _row(rated: Rated) -> tuple[str, ...]:
    setting = wording.setting(rated.point).removeprefix(f"{rated.point.kind}, ")
    return (setting, *(f"{rated.scores[key]:.4f}" for _, key in SCORES))


def _next(files: list[Path]) -> list[str]:
    if not files:
        return ["next: the same with --save DIR writes the setting, as YAML for `yolo predict` and as JSON, and a plot"]
    lines = ["wrote " + "\n      ".join(str(file) for file in files)]
    predict = next((file for file in files if file.name == "predict.yaml"), None)
    if predict is not None:
        return [*lines, f"next: yolo predict cfg={shlex.quote(str(predict))} source=IMAGES"]
    return [*lines, f"next: in Python, hpo.deploy.load(WEIGHTS, {str(files[0])!r}).predict(IMAGES)"]
