"""The prepared view: what MLflow's UI shows when a study is opened.

The UI keeps a shared view in an experiment tag and opens it by key. The format belongs to the UI (MLflow 3.17) and is
not documented. Nothing depends on it: if a later version can't read it, the UI opens its usual page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices

VIEW_KEY = "study"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"
_SECTION = "comparison"
"""Title of the section. Sections are sorted by name, and "Comparison" comes before those that the UI makes from
metrics' prefixes.
"""
_SECTION_OF_CARDS = {"uuid": _SECTION, "name": "Comparison", "display": True, "isReordered": False, "columns": 2}
_PLACE = {"metricSectionId": _SECTION, "deleted": False}
_SCATTERS, _COLUMNS = 8, 10
_X_AXIS = {"selectedMetricKeys": ["objective"], "xAxisKey": "step", "xAxisScaleType": "linear"}
_Y_AXIS = {
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "scaleType": "linear",
    "range": {},
    "selectedXAxisMetricKey": "",
}
_SMOOTHING = {"lineSmoothness": 0, "ignoreOutliers": False, "useGlobalXaxisKey": True, "useGlobalLineSmoothing": True}
_LINE = {**_X_AXIS, **_Y_AXIS, **_SMOOTHING}
"""Fields of the UI's line chart besides its metric; the UI does not fill in missing ones."""
_ORDER = {"searchFilter": "tags.stage = 'search'", "orderByKey": "metrics.`value`", "orderByAsc": False}
_FILTERS = {"startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [], "modelVersionFilter": "All Runs"}


def write(client: Any, experiment_id: str, spec: StudySpec, important: Sequence[str] = ()) -> None:
    """Set the experiment's tags; tags that are right already are not written."""
    wanted = {VIEW_TAG: json.dumps(state(spec, important)), "mlflow.experimentKind": "custom_model_development"}
    stored = client.get_experiment(experiment_id).tags
    for name, value in wanted.items():
        if stored.get(name) != value:
            client.set_experiment_tag(experiment_id, name, value)


def address(experiment_id: str) -> str:
    """Return the view's path below the UI's address."""
    return f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW_KEY}"


def state(spec: StudySpec, important: Sequence[str] = ()) -> dict[str, Any]:
    """Return the view as the UI's JSON: the search's trials, best first, sampled values, and charts.

    ``important`` lists dimensions, the most important first; the other dimensions follow in the order of the space. If
    there are more than ``_COLUMNS``, the UI's own list of columns has the rest.
    """
    names = sorted(spec.searched.names, key=lambda name: important.index(name) if name in important else len(important))
    params = [f"params.`{name}`" for name in names[:_COLUMNS]]
    found = [f"metrics.`final/{name}`" for name in ("iou", "conf", "gain")] if spec.is_swept else []
    return {
        **_ORDER,
        **_FILTERS,
        "selectedColumns": ["metrics.`value`", "metrics.`objective`", *params, *found, "tags.`state`", "tags.`reason`"],
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunSections": [_SECTION_OF_CARDS],
        "compareRunCharts": [{**chart, **_PLACE} for chart in _charts(spec, names)],
    }


def _charts(spec: StudySpec, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the charts: curves of the objective, parallel coordinates of the values that every trial has, and the
    value against each ranged dimension, for the first ``names``.
    """
    dimensions = sorted(spec.searched.dimensions, key=lambda dimension: names.index(dimension.name))
    always = [dimension.name for dimension in dimensions if not dimension.when][:_COLUMNS]
    ranged = [dimension.name for dimension in dimensions if not isinstance(dimension.domain, Choices)]
    curves = {"uuid": "curves", "type": "LINE", "metricKey": "objective", "displayName": "objective by epoch"}
    parallel = {"uuid": "parallel", "type": "PARALLEL", "selectedParams": always, "selectedMetrics": ["value"]}
    value = {"yaxis": {"key": "value", "type": "METRIC"}, "runsCountToCompare": 1000}
    scatters = [
        {"uuid": f"scatter-{name}", "type": "SCATTER", "xaxis": {"key": name, "type": "PARAM"}, **value}
        for name in ranged[:_SCATTERS]
    ]
    return [{**_LINE, **curves}, {**parallel, "showAllRuns": True}, *scatters]
