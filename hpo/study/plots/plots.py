"""Optuna's plots of a study as files: one interactive page, and one picture for each plot.

They are drawn in a process of their own (``python -m hpo.study.plots.plots FOLDER``, a pickled ``Drawing`` at stdin).
plotly, pyplot and their memory are released when it ends, and the worker's trainings are not disturbed.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from html import escape
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from hpo.study.plots.drawing import IMPORTANCES, PAGE, Drawing
from hpo.study.plots.importance import importances, inside
from hpo.study.records import TrialRow
from hpo.study.search.sampling import distributions
from hpo.trial.vocabulary import Scalar, TrialState

MOST_TRIALS = 1000
"""Largest number of trials in the plots that draw each trial, except the history. It bounds their size and time."""
MOST_IN_CONTOUR = 120
"""Largest number of trials in a contour plot: its grid has a cell for each pair of them, 75 MB of page for 1,000."""
MOST_PARAMS, MOST_IN_CONTOUR_PARAMS = 10, 3


@dataclass(frozen=True)
class _Plot:
    name: str
    function: str
    """Function of ``optuna.visualization`` and its ``matplotlib`` that returns a figure, or axes."""
    study: optuna.Study
    options: dict[str, Any]
    size: tuple[float, float] | None = None
    """Size of its picture in inches; None for Optuna's own."""

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    def draw(self, module: Any) -> Any:
        return getattr(module, self.function)(self.study, **self.options)


def draw(drawing: Drawing, folder: Path) -> None:
    """Write ``PAGE``, a PNG for each plot, and ``IMPORTANCES`` (name -> share, largest first; ``{}`` if too few)."""
    found = importances(drawing.spec, drawing.trials)
    plots = _plots(drawing, [each.name for each in found])
    (folder / IMPORTANCES).write_text(json.dumps({each.name: round(each.value, 4) for each in found}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)  # for example about dimensions that do not fit in a picture
        (folder / PAGE).write_text(_page(drawing, plots))
        _pictures(plots, folder)


def _plots(drawing: Drawing, important: list[str]) -> list[_Plot]:
    """Return the plots that have something to show."""
    whole = _whole(drawing)
    shown = _choice(drawing, thinned(drawing.trials, MOST_TRIALS))
    few = _choice(drawing, thinned(drawing.trials, MOST_IN_CONTOUR))
    names = (important or [each.name for each in drawing.spec.searched.dimensions if not each.when])[:MOST_PARAMS]
    value = {"target_name": str(drawing.spec.objective)}
    plots = [_Plot("history", "plot_optimization_history", whole, value)]
    if important:
        options = {"evaluator": PedAnovaImportanceEvaluator(), "params": important, **value}
        plots.append(_Plot("importances", "plot_param_importances", whole, options))
    plots.append(_Plot("timeline", "plot_timeline", shown, {}))
    searched = {"params": names, **value}
    if names:
        plots.append(_Plot("slice", "plot_slice", shown, searched))
    if len(names) > 1:
        plots.append(_Plot("parallel_coordinates", "plot_parallel_coordinate", shown, searched, (11, 6)))
        pairs = {"params": names[:MOST_IN_CONTOUR_PARAMS], **value}
        plots.append(_Plot("contour", "plot_contour", few, pairs, (13, 12)))
    return plots


def thinned(trials: Sequence[TrialRow], most: int) -> tuple[TrialRow, ...]:
    """Return at most ``most`` trials by number: the best ``most`` / 2, and every n-th of the others."""
    if len(trials) <= most:
        return tuple(trials)
    complete = [row for row in trials if row.state is TrialState.COMPLETE and row.value is not None]
    best = sorted(complete, key=lambda row: (-(row.value or 0.0), row.number))[: most // 2]
    kept = {row.number for row in best}
    rest = [row for row in trials if row.number not in kept]
    places = most - len(best)
    spread = [rest[index * len(rest) // places] for index in range(places)]
    return tuple(sorted([*best, *spread], key=lambda row: row.number))


def _whole(drawing: Drawing) -> optuna.Study:
    """Build a study with every trial.

    A number whose trial never began becomes a failed trial, since the history uses numbers as places.
    """
    known = dict(zip((row.number for row in drawing.trials), _frozen(drawing, drawing.trials), strict=True))
    never_begun = create_trial(state=OptunaState.FAIL)
    return _study(drawing, [known.get(number, never_begun) for number in range(max(known) + 1)])


def _choice(drawing: Drawing, rows: Sequence[TrialRow]) -> optuna.Study:
    study = _study(drawing, _frozen(drawing, rows))
    for trial, row in zip(study.get_trials(deepcopy=False), rows, strict=True):
        trial.number = row.number  # Optuna numbers them again
    return study


def _study(drawing: Drawing, trials: Sequence[FrozenTrial]) -> optuna.Study:
    study = optuna.create_study(direction="maximize", study_name=drawing.spec.name)
    study.add_trials(trials)
    return study


def _frozen(drawing: Drawing, rows: Sequence[TrialRow]) -> list[FrozenTrial]:
    """Build Optuna's trials with only the values inside the space; Optuna refuses others."""
    known = distributions(drawing.spec.searched)
    return [_trial(row, inside(drawing.spec, row), known) for row in rows]


def _trial(row: TrialRow, params: dict[str, Scalar], known: dict[str, BaseDistribution]) -> FrozenTrial:
    trial = create_trial(
        state=OptunaState[TrialState.RUNNING if row.state is TrialState.WAITING else row.state],
        value=row.value if row.state is TrialState.COMPLETE else None,
        params=params,
        distributions={name: known[name] for name in params},
    )
    trial.datetime_start, trial.datetime_complete = _local(row.started), _local(row.finished)
    return trial


def _local(moment: Any) -> Any:
    """Return a time without zone, as Optuna has it; here in UTC on every machine."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _page(drawing: Drawing, plots: list[_Plot]) -> str:
    from optuna import visualization
    from plotly import offline

    parts = []
    for plot in plots:
        figure = plot.draw(visualization)
        figure.update_layout(title=None, template="plotly_white", margin={"t": 30})
        config = {"responsive": True, "displaylogo": False}
        body = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
        parts.append(f'<h2 id="{plot.name}">{plot.title}</h2>\n{_note(plot, drawing)}{body}')
    links = " · ".join(f'<a href="#{plot.name}">{plot.title}</a>' for plot in plots)
    name = escape(drawing.spec.name)
    complete = sum(row.state is TrialState.COMPLETE for row in drawing.trials)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
        f"<script>{offline.get_plotlyjs()}</script></head><body><h1>{name}: {escape(str(drawing.spec.objective))} of "
        f"{complete} complete trials</h1><nav>{links}</nav>{''.join(parts)}</body></html>"
    )


_STYLE = "body{font:15px system-ui,sans-serif;margin:1em 2em;color:#222}h1{font-size:1.3em}h2{font-size:1.1em}"


def _note(plot: _Plot, drawing: Drawing) -> str:
    """Describe how many trials are drawn, where not all are."""
    most = {"history": None, "importances": None, "contour": MOST_IN_CONTOUR}.get(plot.name, MOST_TRIALS)
    if most is None or len(drawing.trials) <= most:
        return ""
    return f"<p>{most} of {len(drawing.trials)} trials: the best {most // 2}, and of the rest an even choice.</p>"


def _pictures(plots: list[_Plot], folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as visualization

    for plot in plots:
        plot.draw(visualization)
        figure = pyplot.gcf()
        if plot.size is not None:
            figure.set_size_inches(plot.size)
        figure.savefig(folder / f"{plot.name}.png", bbox_inches="tight", dpi=90)
        pyplot.close("all")


def main(folder: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    os.nice(19)  # trainings have priority
    draw(pickle.load(sys.stdin.buffer), folder)  # noqa: S301  (from the process that started this one)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
