"""One picture of a sweep: F1 over confidence, precision over recall with the chosen point, and each kind's gain."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo import files
from hpo.texts import in_figure
from hpo.trial import wording
from hpo.trial.operating_point import OperatingPoint, SweepResult

if TYPE_CHECKING:
    from hpo.detection.curves import Curve
    from hpo.detection.predictions import Predictions

BEST, DEFAULT = "#0b6e99", "#c2571a"
_TITLE = 190
"""Largest number of characters in a line of the title."""
_MOST_POINTS = 2000
"""Largest number of points in a drawn curve; more can't be told apart."""


def write_plots(result: SweepResult, predictions: Predictions, path: Path) -> None:
    """Draw ``result``, found on ``predictions``, into the PNG ``path``; the file is replaced at once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 4.6), layout="constrained")
    FigureCanvasAgg(figure)  # without pyplot: no global state, and nothing that a fork could break
    confidence, recall, kinds = figure.subplots(1, 3)
    for point, colour, name in ((result.default.point, DEFAULT, "default"), (result.best.point, BEST, "best")):
        rows = _rows(predictions, point)
        if len(rows):
            _draw_confidence(confidence, rows, point, colour, name)
            _draw_recall(recall, rows, point, colour, name)
    _finish(confidence, "confidence threshold", "F1 (macro)", "F1 over confidence, at each suppression")
    _finish(recall, "recall (macro)", "precision (macro)", "Precision over recall, IoU 0.5")
    _draw_kinds(kinds, result)
    title = f"{result.images} images, {result.capture}: {wording.gain(result)}"
    figure.suptitle("\n".join(textwrap.wrap(in_figure(title), _TITLE)), fontsize=10)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=110, format="png")


def _rows(predictions: Predictions, point: OperatingPoint) -> Curve:
    from hpo.detection.curves import Labels, curve
    from hpo.detection.events import single

    return curve(single(predictions, point).at(0), Labels.of(predictions), ap=False)


def _draw_confidence(axes: Any, rows: Curve, point: OperatingPoint, colour: str, name: str) -> None:
    some = _thinned(len(rows))
    axes.step(rows.scores[some], rows.f[some], where="pre", color=colour, label=f"{name}: {wording.setting(point)}")
    for conf in point.per_class_conf or (point.conf,):
        axes.axvline(conf, color=colour, linestyle=":", linewidth=1)
    if point.per_class_conf is None:
        axes.plot([point.conf], [_at(rows.f, rows, point.conf)], "o", color=colour)


def _draw_recall(axes: Any, rows: Curve, point: OperatingPoint, colour: str, name: str) -> None:
    some = _thinned(len(rows))
    axes.plot(rows.recall[some], rows.precision[some], color=colour, label=name)
    if point.per_class_conf is None:
        recall, precision = (_at(values, rows, point.conf) for values in (rows.recall, rows.precision))
        axes.plot([recall], [precision], "o", color=colour)


def _at(values: Any, rows: Curve, conf: float) -> float:
    kept = int((rows.scores > np.float32(conf)).sum())
    return float(values[kept - 1]) if kept else 0.0


def _thinned(count: int) -> Any:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int))


def _finish(axes: Any, across: str, up: str, title: str) -> None:
    axes.set(xlabel=across, ylabel=up, title=title, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="best")


def _draw_kinds(axes: Any, result: SweepResult) -> None:
    """Draw the gains with their intervals, the chosen kind in colour."""
    places = np.arange(len(result.by_kind))
    for place, kind in zip(places, result.by_kind, strict=True):
        gain, chosen = kind.gain, kind.best.point.kind == result.best.point.kind
        axes.plot([gain.low, gain.high], [place, place], color=BEST if chosen else "grey", linewidth=2)
        axes.plot([gain.value], [place], "o", color=BEST if chosen else "grey")
    axes.axvline(0, color=DEFAULT, linewidth=1)
    points = [kind.best.point for kind in result.by_kind]
    labels = [f"{point.kind}\n{wording.setting(point).removeprefix(f'{point.kind}, ')}" for point in points]
    how = wording.measured(result.images)
    axes.set_yticks(places, labels, fontsize=8)
    axes.set(
        xlabel=f"gain in {in_figure(result.objective)} over the defaults,\n{how}, with its 95% interval",
        title="Gain by kind of suppression",
        ylim=(len(places) - 0.5, -0.5),
    )
    axes.grid(alpha=0.3, axis="x")
