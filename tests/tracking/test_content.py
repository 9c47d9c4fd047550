"""The content of a run, computed only from rows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.study.records import TrialRow
from hpo.tracking.content import Point, RunContent, canonical, metric_name, study_content, trial_content
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Postprocess, Reason, RunStatus, TrialState
from tests.support import swept
from tests.tracking.support import BEGIN, UUID, make_epochs, make_rows, make_study, make_trial

STUDY = make_study()


def content_of(reason: Reason | None, epochs: int = 5) -> RunContent:
    return trial_content(STUDY, make_trial(3, reason, epochs=epochs), make_epochs(3, epochs))


def points(content: RunContent, key: str) -> list[Point]:
    return [point for point in content.points if point.key == key]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.COMPLETE, RunStatus.FINISHED),
        (Reason.PRUNED, RunStatus.KILLED),
        (Reason.DIVERGED, RunStatus.FAILED),
        (Reason.CRASH, RunStatus.FAILED),
        (Reason.GIVEN_BACK, RunStatus.RUNNING),
        (None, RunStatus.RUNNING),
    ],
)
def test_a_run_ends_as_its_trial_did(reason: Reason | None, status: RunStatus) -> None:
    content = content_of(reason)
    assert content.status is status
    assert (content.ended_ms is None) == (status is RunStatus.RUNNING)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (TrialState.COMPLETE, RunStatus.FINISHED),
        (TrialState.PRUNED, RunStatus.KILLED),
        (TrialState.FAIL, RunStatus.FAILED),
    ],
)
def test_without_a_reason_the_state_decides(state: TrialState, status: RunStatus) -> None:
    assert trial_content(STUDY, replace(make_trial(3), state=state, reason=None), []).status is status


def test_metric_names_are_those_of_ultralytics_callback() -> None:
    keys = {point.key for point in content_of(Reason.COMPLETE).points}
    assert {"metrics/mAP50-95B", "metrics/precisionB", "train/box_loss", "lr/pg0", "objective"} <= keys
    assert metric_name("metrics/mAP50(B)") == "metrics/mAP50B"


def test_sorting_by_the_latest_objective_ranks_complete_trials_by_value() -> None:
    trial = make_trial(3)
    curve = points(content_of(Reason.COMPLETE), "objective")
    assert [point.step for point in curve] == [1, 2, 3, 4, 5, 6]
    assert max(curve, key=lambda point: point.step).value == trial.value
    assert [point.value for point in points(content_of(Reason.COMPLETE), "value")] == [trial.value]


def test_only_a_complete_trial_has_a_value() -> None:
    for reason in (Reason.PRUNED, Reason.DIVERGED, Reason.CRASH, Reason.GIVEN_BACK, None):
        content = content_of(reason)
        assert not points(content, "value")
        assert [point.step for point in points(content, "objective")] == [1, 2, 3, 4, 5]


def test_time_stamps_are_the_databases() -> None:
    epoch = make_epochs(3, 1)[0]
    content = content_of(Reason.COMPLETE)
    assert points(content, "objective")[0].time_ms == round(epoch.recorded_at.timestamp() * 1000)
    assert content == content_of(Reason.COMPLETE)
    assert content.digest() == content_of(Reason.COMPLETE).digest()
    assert content.digest() != content_of(Reason.COMPLETE, epochs=4).digest()


def test_params_are_what_was_asked_for_and_the_sampled_post_processing() -> None:
    trial = make_trial(3)
    params = content_of(Reason.COMPLETE).params
    assert params["lr0"] == str(trial.params["lr0"])
    assert params["iou"] == str(trial.params["iou"])
    assert {"model", "data", "epochs", "optimizer", "conf", "max_det", "agnostic_nms"} <= params.keys()
    assert params["nested"] == "[1, 2]"


SWEPT = replace(STUDY, spec=replace(STUDY.spec, postprocess=Postprocess.SWEPT))


def swept_trial(point: OperatingPoint = OperatingPoint(0.55, 0.41)) -> TrialRow:  # noqa: B008  (frozen)
    found = swept(point)
    params = {name: value for name, value in make_trial(3).params.items() if name not in {"iou", "conf"}}
    return replace(make_trial(3), params=params, operating_point=point, sweep=found, value=found.value)


def test_what_a_sweep_found_is_final_and_no_parameter() -> None:
    """A parameter can't change, and the result of the sweep is unknown while the trial runs."""
    content = trial_content(SWEPT, swept_trial(), [])
    final = {point.key: (point.value, point.step) for point in content.points if point.key.startswith("final/")}
    assert final["final/iou"] == (0.55, 0)
    assert final["final/conf"] == (0.41, 0)
    assert (final["final/gain"], final["final/gain_low"], final["final/gain_high"]) == ((0.03, 0), (0.01, 0), (0.05, 0))
    assert final["final/agnostic_nms"] == (0.0, 0)
    assert not {"iou", "conf", "max_det", "agnostic_nms"} & content.params.keys()
    running = replace(swept_trial(), sweep=None, operating_point=None, state=TrialState.RUNNING, finished=None)
    assert trial_content(SWEPT, running, []).params == content.params


def test_a_suppression_without_a_threshold_has_none_in_the_run() -> None:
    point = OperatingPoint(None, 0.41, kind=Kind.NONE)
    keys = {each.key for each in trial_content(SWEPT, swept_trial(point), []).points}
    assert "final/conf" in keys
    assert "final/iou" not in keys


@given(st.text(max_size=50) | st.floats() | st.integers() | st.booleans() | st.none() | st.lists(st.integers()))
def test_a_parameter_reads_the_same_before_and_after_the_database(value: object) -> None:
    assert canonical(value) == canonical(json.loads(json.dumps(value)))


def test_a_long_parameter_is_cut_to_what_mlflow_takes() -> None:
    assert len(canonical("x" * 10_000)) == 6000
    assert len(trial_content(STUDY, replace(make_trial(3), detail="x" * 9000), []).tags["detail"]) == 8000


def test_tags_say_what_a_person_filters_by() -> None:
    tags = content_of(Reason.PRUNED).tags
    assert tags["hpo.trial"] == f"{UUID}/3"
    assert tags["stage"] == "search"
    assert (tags["number"], tags["ordinal"], tags["state"], tags["reason"]) == ("3", "3", "PRUNED", "pruned")
    assert (tags["worker"], tags["attempts"], tags["version.torch"]) == ("node-1", "1", "2.15.0")
    assert tags["dataset_fingerprint"] == "d" * 64
    assert "baseline" not in tags
    assert trial_content(STUDY, make_trial(0), []).tags["baseline"] == "true"


def test_what_ultralytics_replaced_is_recorded_as_changed() -> None:
    assert json.loads(content_of(Reason.COMPLETE).tags["changed"]) == {"batch": [16, 8]}


def test_the_studys_run_follows_the_best_value() -> None:
    rows = make_rows([Reason.COMPLETE, Reason.PRUNED, Reason.COMPLETE, Reason.COMPLETE])
    values = {0: 0.3, 2: 0.2, 3: 0.5}
    trials = [replace(row, value=values.get(row.number)) for row in rows.trials()]
    content = study_content(rows.study, trials)
    assert [(point.value, point.step) for point in points(content, "best_value")] == [(0.3, 1), (0.5, 3)]
    assert content.tags["best_trial"] == "3"
    assert content.tags["stage"] == "study"
    assert content.status is RunStatus.FINISHED


def test_the_studys_run_runs_while_a_trial_does() -> None:
    assert study_content(STUDY, []).status is RunStatus.RUNNING
    assert study_content(STUDY, make_rows([Reason.COMPLETE, None]).trials()).status is RunStatus.RUNNING
    assert study_content(STUDY, []).started_ms == round(BEGIN.timestamp() * 1000)
