"""Optuna's plots in a study's own run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from mlflow.tracking import MlflowClient

from hpo.settings import Settings
from hpo.study.plots.drawing import Drawing
from hpo.study.plots.plots import MOST_TRIALS, thinned
from hpo.tracking import plots
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import Rows, make_epochs, make_rows, make_trial, shown, uploaded

NAMES = ("history", "importances", "timeline", "slice", "parallel_coordinates", "contour")


@pytest.mark.long
def test_the_studys_run_holds_them_and_they_are_drawn_again_only_when_something_ended(
    projector: Callable[[Rows], Projector], settings: Settings
) -> None:
    rows = make_rows([*[Reason.COMPLETE] * 15, Reason.PRUNED, Reason.CRASH])
    rows.put(replace(rows.trial(0), params={**rows.trial(0).params, "lr0": 0.9}), rows.epochs(0))  # outside the space
    for number in (1, 2, 5):
        del rows.by_number[number]  # this trial never began
    made = projector(rows)
    made.everything()
    made.plots()
    tags = shown(settings)[f"{rows.study.uuid}/study"]["tags"]
    assert set(json.loads(tags[plots.IMPORTANCES_TAG])) == set(rows.study.spec.searched.names)
    client = MlflowClient(settings.tracking_uri)
    (run,) = client.search_runs([rows.experiment_id], "tags.stage = 'study'")
    held = uploaded(settings, run.info.run_id)
    assert {f"plots/{name}.png" for name in NAMES} | {"plots/optuna.html", "study.yaml"} <= held.keys()
    page = held["plots/optuna.html"]
    assert b"src=" not in page[page.index(b"<body>") :]
    assert len(page) < 6_000_000
    assert all(held[f"plots/{name}.png"].startswith(b"\x89PNG") for name in NAMES)
    view = json.loads(client.get_experiment(rows.experiment_id).tags["mlflow.sharedViewState.study"])
    assert view["selectedColumns"][2] == f"params.`{next(iter(json.loads(tags[plots.IMPORTANCES_TAG])))}`"
    drawn = run.data.tags[plots.PLOTS_TAG]
    projector(rows).plots()
    assert client.get_run(run.info.run_id).data.tags[plots.PLOTS_TAG] == drawn


def test_another_workers_drawing_is_not_repeated_while_the_search_goes_on() -> None:
    fresh = {plots.PLOTS_TAG: json.dumps([10, 2**40])}
    stale = {plots.PLOTS_TAG: json.dumps([10, 0])}
    assert plots.are_due({}, 5, running=True)
    assert not plots.are_due(fresh, 11, running=True)
    assert plots.are_due(stale, 11, running=True)
    assert plots.are_due(fresh, 11, running=False)
    assert not plots.are_due(stale, 10, running=False)


def test_too_little_is_not_drawn() -> None:
    rows = make_rows([*[Reason.COMPLETE] * 4, *[Reason.PRUNED] * 20])
    assert Drawing.of(rows.study.spec, rows.trials()) is None


def test_of_many_trials_the_best_and_an_even_choice_are_drawn() -> None:
    rows = Rows(make_rows([]).study)
    for number in range(MOST_TRIALS + 500):
        rows.put(make_trial(number), make_epochs(number, 0))
    kept = thinned(rows.trials(), MOST_TRIALS)
    assert len({row.number for row in kept}) == MOST_TRIALS
    assert [row.number for row in kept] == sorted(row.number for row in kept)
    best = sorted(rows.trials(), key=lambda row: -(row.value or 0.0))[: MOST_TRIALS // 2]
    assert {row.number for row in best} <= {row.number for row in kept}
    assert thinned(rows.trials()[:10], MOST_TRIALS) == tuple(rows.trials()[:10])
