"""Charts of a study as SVG text inside a page."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from hpo.dataset.boxes import BoxFacts
from hpo.report.facts import Report
from hpo.study.records import TrialRow
from hpo.studyfile.space import Choices, FloatRange, IntRange
from hpo.texts import in_figure
from hpo.trial.vocabulary import TrialState

BEST, DEFAULT, QUIET = "#0b6e99", "#c2571a", "#9aa3ab"
_SLICES = 8
"""Number of dimensions that are drawn against the value, the most important first."""


def history(report: Report) -> str:
    """Return a chart of the value of each complete trial in the order of their numbers, the best so far, and the
    baseline.
    """
    figure, (axes,) = _figure(8, 3.2)
    complete = _complete(report.trials)
    shown = _thinned(complete)
    axes.plot([row.number for row in shown], [row.value for row in shown], "o", color=QUIET, markersize=4)
    numbers, steps = _steps(complete)
    axes.step(numbers, steps, where="post", color=BEST, label="best so far")
    if report.baseline is not None and report.baseline.value is not None:
        axes.axhline(report.baseline.value, color=DEFAULT, linestyle="--", linewidth=1, label="baseline")
    pruned = [row for row in report.trials if row.state is TrialState.PRUNED]
    if pruned:
        bottom, drawn = min(row.value or 0.0 for row in complete), [row.number for row in _thinned(pruned)]
        axes.plot(drawn, [bottom] * len(drawn), "|", color=QUIET, label=f"pruned ({len(pruned)})")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="trial", ylabel=in_figure(str(report.spec.objective)))
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return _svg(figure)


def _steps(complete: Sequence[TrialRow]) -> tuple[list[int], list[float]]:
    """Return the trials at which the best value so far rose, and the last one, with that value."""
    best = list(accumulate((row.value or -math.inf for row in complete), max))
    last = len(best) - 1
    kept = [index for index, value in enumerate(best) if index in (0, last) or value > best[index - 1]]
    return [complete[index].number for index in kept], [best[index] for index in kept]


def importances(report: Report) -> str:
    """Return a chart with a bar and its interval for each dimension."""
    shown = report.importances[:15][::-1]
    figure, (axes,) = _figure(8, 0.9 + 0.32 * len(shown))
    names, values = [each.name for each in shown], [each.value for each in shown]
    reach = [[each.value - each.low for each in shown], [each.high - each.value for each in shown]]
    axes.barh(
        [in_figure(name) for name in names],
        values,
        xerr=reach,
        color=BEST,
        error_kw={"ecolor": "#444", "elinewidth": 1, "capsize": 2},
    )
    axes.set(xlim=(0, 1), xlabel="share of the importance (PED-ANOVA), 90% interval over trials")
    return _svg(figure)


def slices(report: Report) -> str:
    """Return charts of the value over each of the most important dimensions; darker points are later trials."""
    order = [each.name for each in report.importances] or list(report.spec.searched.names)
    domains = {dimension.name: dimension.domain for dimension in report.spec.searched.dimensions}
    names = [name for name in order if name in domains][:_SLICES]
    complete = _thinned(_complete(report.trials))
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, cells = _figure(8, 2.2 * lines, lines, columns)
    for axes, name in zip(cells, names, strict=False):
        rows = [row for row in complete if name in row.params]
        domain = domains[name]
        is_choice = isinstance(domain, Choices)
        values = [in_figure(str(row.params[name])) if is_choice else row.params[name] for row in rows]
        axes.scatter(values, [row.value for row in rows], c=[row.number for row in rows], cmap="Blues", s=14, vmin=-10)
        if isinstance(domain, (FloatRange, IntRange)) and domain.log:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter("")  # a range within one decade would print its ticks over each other
        axes.set_title(name, fontsize=9)
        if name in report.winner.params:
            best = report.winner.params[name]
            axes.plot([in_figure(str(best)) if is_choice else best], [report.winner.value], "*", color=DEFAULT)
    for axes in cells[len(names) :]:
        axes.set_visible(False)
    return _svg(figure)


def classes(boxes: BoxFacts) -> str:
    """Return a chart of the number of boxes of each class in the training split."""
    shown = sorted(boxes.by_class.items(), key=lambda item: -item[1])[:20][::-1]
    figure, (axes,) = _figure(8, 0.8 + 0.28 * len(shown))
    axes.barh([in_figure(name) for name, _ in shown], [count for _, count in shown], color=QUIET)
    axes.set_xlabel("boxes in the training split")
    return _svg(figure)


MOST_POINTS = 2_000
"""Points in a chart: of more, an even choice. A page with all of them takes a browser minutes."""


def _thinned(rows: list[TrialRow]) -> list[TrialRow]:
    step = -(-len(rows) // MOST_POINTS)
    return rows[:: max(1, step)]


def _complete(rows: Sequence[TrialRow]) -> list[TrialRow]:
    return [row for row in rows if row.state is TrialState.COMPLETE and row.value is not None]


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)  # without pyplot, so without global state
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    held = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hpo", "font.family": "sans-serif"}):
        figure.savefig(held, format="svg", metadata={"Date": None})
    text = held.getvalue()
    return text[text.index("<svg") :]
