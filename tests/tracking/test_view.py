"""The prepared view, as the UI reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from mlflow.tracking import MlflowClient

from hpo.settings import Settings
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Condition, Dimension, FloatRange, Space
from hpo.tracking import note, view
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Postprocess, Reason
from tests.tracking.support import Rows, make_rows, make_study


def test_the_view_shows_the_search_best_first_with_what_was_sampled() -> None:
    state = view.state(make_study().spec)
    assert state["searchFilter"] == "tags.stage = 'search'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`value`", False)
    columns = set(state["selectedColumns"])
    assert {"metrics.`value`", "metrics.`objective`", "tags.`state`", "tags.`reason`"} <= columns
    assert {f"params.`{name}`" for name in ("lr0", "weight_decay", "optimizer", "iou", "conf")} <= columns


def test_the_view_of_a_swept_study_shows_what_was_found_instead() -> None:
    spec = replace(make_study().spec, postprocess=Postprocess.SWEPT)
    state = view.state(spec)
    columns = set(state["selectedColumns"])
    assert {f"params.`{name}`" for name in ("lr0", "weight_decay", "optimizer")} <= columns
    assert {f"metrics.`final/{name}`" for name in ("iou", "conf", "gain")} <= columns
    assert not {"params.`iou`", "params.`conf`"} & columns
    drawn = json.dumps(state["compareRunCharts"])
    assert "lr0" in drawn
    assert "conf" not in drawn


def test_the_charts_leave_out_what_they_can_not_draw() -> None:
    dimensions = (
        Dimension("lr0", FloatRange(1e-4, 1e-1, log=True)),
        Dimension("optimizer", Choices(("SGD", "AdamW"))),
        Dimension("momentum", FloatRange(0.9, 0.99), when=(Condition("optimizer", ("SGD",)),)),
    )
    charts = view.state(StudySpec("s", "d.yaml", "m.pt", space=Space(dimensions)))["compareRunCharts"]
    (parallel,) = [chart for chart in charts if chart["type"] == "PARALLEL"]
    assert parallel["selectedParams"] == ["lr0", "optimizer"]  # a run that lacks one would be left out
    scatters = [chart["xaxis"]["key"] for chart in charts if chart["type"] == "SCATTER"]
    assert scatters == ["lr0", "momentum"]
    assert [chart["metricKey"] for chart in charts if chart["type"] == "LINE"] == ["objective"]


def test_what_mattered_most_comes_first() -> None:
    state = view.state(make_study().spec, ["conf", "lr0"])
    params = [column for column in state["selectedColumns"] if column.startswith("params")]
    assert params[:3] == ["params.`conf`", "params.`lr0`", "params.`weight_decay`"]
    scatters = [chart["xaxis"]["key"] for chart in state["compareRunCharts"] if chart["type"] == "SCATTER"]
    assert scatters == ["conf", "lr0", "weight_decay", "iou"]


def test_every_chart_belongs_to_a_section_and_has_its_own_id() -> None:
    state = view.state(make_study().spec)
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    ids = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(ids)) == len(ids)


def test_a_study_without_a_space_has_a_view_too() -> None:
    spec = StudySpec("s", "d.yaml", "m.pt")
    assert view.state(spec)["orderByKey"] == "metrics.`value`"
    assert json.loads(json.dumps(view.state(spec))) == view.state(spec)


def test_the_experiment_carries_the_view_and_the_note(
    projector: Callable[[Rows], Projector], settings: Settings
) -> None:
    rows = make_rows([Reason.COMPLETE])
    experiment_id = projector(rows).study()
    tags = MlflowClient(settings.tracking_uri).get_experiment(experiment_id).tags
    assert json.loads(tags["mlflow.sharedViewState.study"]) == view.state(rows.study.spec)
    begin, title, *_ = tags["mlflow.note.content"].splitlines()
    assert (begin, title) == (note.BEGIN, "### digits: map50_95 of `yolov8n.yaml`, best 0.6222 (trial 0)")
    assert tags["mlflow.experimentKind"] == "custom_model_development"
