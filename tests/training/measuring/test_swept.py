"""Trials with swept post-processing: real trainings, captures and sweeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from hpo import files
from hpo.detection.sweep import sweep
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training.cache import PredictionCache, key
from hpo.trial.kinds import Kind
from hpo.trial.messages import Answer, Ended, Progress
from hpo.trial.objective import parse
from hpo.trial.operating_point import DEFAULT
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import PredictionFolder, TrialRequest
from hpo.trial.vocabulary import Reason, Scalar
from tests.conftest import MODEL_THAT_LEARNS, SMALLEST_MODEL, Requests, Talk
from tests.support import example
from tests.training.measuring.requests import F1, KEYS, PLAN, Maker, swept_from


@dataclass(frozen=True)
class Done:
    request: TrialRequest
    talk: Talk

    @property
    def ended(self) -> Ended:
        return self.talk.ended


@pytest.fixture(scope="module")
def done(launcher: ForkserverLauncher, tiny: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return a swept trial that ran to its end."""
    request = swept_from(Requests(tiny, tmp_path_factory.mktemp("done")), trained)()
    return Done(request, Talk(launcher.start(request)))


def test_a_swept_trial_ends_with_the_operating_point_of_its_model(done: Done) -> None:
    ended = done.ended
    assert (ended.reason, ended.detail) == (Reason.COMPLETE, "")
    assert ended.swept is not None
    found = ended.swept
    assert found.capture == "deploy"
    assert found.images == 24
    assert found.best.point.iou in PLAN.ious
    assert PLAN.conf[0] <= found.best.point.conf <= PLAN.conf[1]
    assert ended.value == found.value
    assert ended.operating_point == found.best.point
    assert set(ended.metrics) == KEYS
    assert ended.metrics["f1"] == found.best.scores["f1"] == pytest.approx(found.in_sample)
    assert found.in_sample >= found.default_value


def test_what_was_found_lies_in_the_attempts_folder(done: Done) -> None:
    ended = done.ended
    paths = AttemptPaths(Path(done.request.folder))
    written = json.loads(paths.operating_point.read_text())
    assert ended.swept is not None
    assert written == {**json.loads(json.dumps(ended.swept.to_dict())), "imgsz": 96}
    predict = yaml.safe_load(paths.predict.read_text())
    recommended = ended.swept.recommended_point
    assert (predict["conf"], predict["iou"], predict["imgsz"]) == (recommended.conf, recommended.iou, 96)
    assert predict["model"] == str(paths.best)
    assert "95% interval" in paths.predict.read_text()
    assert paths.sweep_plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_a_trial_of_some_classes_is_measured_on_these_alone(
    launcher: ForkserverLauncher, swept_request: Maker, tmp_path: Path
) -> None:
    kept = PredictionFolder(str(tmp_path), 5, "data")
    request = swept_request({"classes": [0, 2], "epochs": 1}, predictions=kept)
    ended = Talk(launcher.start(request)).ended
    assert ended.detail == ""
    best = files.digest(AttemptPaths(Path(request.folder)).best)
    everything = PredictionCache(tmp_path).load(key(best, "data", "val", 96, "deploy"))
    assert everything is not None
    assert set(everything.truth_classes) == {0, 1, 2, 3}
    assert ended.swept == replace(
        sweep(everything.only([0, 2]), PLAN, F1), seconds=0 if ended.swept is None else ended.swept.seconds
    )


@pytest.mark.long
def test_a_trial_of_all_classes_as_one_is_measured_so(
    launcher: ForkserverLauncher, swept_request: Maker, tmp_path: Path
) -> None:
    kept = PredictionFolder(str(tmp_path), 5, "data")
    request = swept_request({"single_cls": True, "epochs": 1}, predictions=kept)
    ended = Talk(launcher.start(request)).ended
    assert ended.detail == ""
    best = files.digest(AttemptPaths(Path(request.folder)).best)
    found = PredictionCache(tmp_path).load(key(best, "data", "val", 96, "deploy"))
    assert found is not None
    assert found.names == ("item",)
    assert set(found.truth_classes) == {0}
    assert ended.swept is not None
    assert ended.swept == replace(sweep(found, PLAN, F1), seconds=ended.swept.seconds)


@pytest.mark.long
def test_every_epoch_reports_the_objective_at_the_best_setting_of_its_own_predictions(
    launcher: ForkserverLauncher, swept_request: Maker, done: Done
) -> None:
    """A sweep with fewer choices finds less, and the training is the same for every sweep."""
    plans = [replace(PLAN, conf=(0.6, 0.6)), replace(PLAN, kinds=(Kind.HARD,), ious=(0.9,), conf=(0.6, 0.6))]
    talks = [done.talk, *(Talk(launcher.start(swept_request(sweep=plan))) for plan in plans)]
    wide, conf, one = [[report.objective for report in talk.reports] for talk in talks]
    assert all(more >= less for more, less in zip(wide, conf, strict=True))
    assert all(more >= less for more, less in zip(conf, one, strict=True))
    assert wide[-1] > one[-1] > 0
    assert [[r.metrics for r in talk.reports] for talk in talks] == [[r.metrics for r in talks[0].reports]] * 3


@pytest.mark.long
def test_best_pt_is_the_epoch_with_the_best_swept_objective(launcher: ForkserverLauncher, swept_request: Maker) -> None:
    talk = Talk(launcher.start(swept_request({"epochs": 4, "lr0": 0.02})))
    best = max(talk.reports, key=lambda report: (report.objective, report.epoch))
    assert talk.ended.best_epoch == best.epoch


def test_the_value_is_told_once_and_never_as_an_epoch(done: Done) -> None:
    talk = done.talk
    assert [report.epoch for report in talk.reports] == [1, 2]
    stages = [progress.stage for progress in talk.all(Progress)]
    assert stages.index("final") < stages.index("capture") < stages.index("sweep")


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param("recall at precision >= 0.5", marks=pytest.mark.long),
        pytest.param("map50_95", marks=pytest.mark.long),
        "f1 at recall[four] >= 0.1",
        pytest.param("f2 micro", marks=pytest.mark.long),
        pytest.param("map_small", marks=pytest.mark.long),
    ],
)
def test_any_objective_can_be_what_a_study_is_about(
    launcher: ForkserverLauncher, swept_request: Maker, objective: str
) -> None:
    ended = Talk(launcher.start(swept_request({"epochs": 1}, objective=parse(objective)))).ended
    assert (ended.reason, ended.detail) == (Reason.COMPLETE, "")
    assert ended.swept is not None
    assert ended.swept.objective == objective
    assert ended.value is not None
    assert 0 <= ended.value <= 1


def test_the_baseline_is_measured_at_ultralytics_defaults_as_it_would_be_deployed(
    launcher: ForkserverLauncher, swept_request: Maker, done: Done
) -> None:
    baseline = Talk(launcher.start(swept_request(operating_point=DEFAULT)))
    searched = done.talk
    assert (baseline.ended.reason, baseline.ended.detail, baseline.ended.swept) == (Reason.COMPLETE, "", None)
    assert searched.ended.swept is not None
    assert baseline.ended.operating_point == DEFAULT
    assert baseline.ended.value == searched.ended.swept.default_value
    assert baseline.ended.metrics["f1"] == searched.ended.swept.default.scores["f1"]
    assert [r.objective for r in baseline.reports] == [r.objective for r in searched.reports]


@pytest.mark.long
def test_a_confirmation_is_measured_at_a_kind_that_ultralytics_cannot_do(
    launcher: ForkserverLauncher, request_for: Requests
) -> None:
    """The validation of each epoch can't use such a suppression, and runs with Ultralytics' own."""
    point = example(Kind.SOFT)
    ended = Talk(launcher.start(request_for(objective=F1, sweep=PLAN, operating_point=point))).ended
    assert (ended.reason, ended.detail, ended.operating_point) == (Reason.COMPLETE, "", point)


def test_a_pruned_trial_is_not_swept(launcher: ForkserverLauncher, swept_request: Maker) -> None:
    request = swept_request()
    talk = Talk(launcher.start(request), {1: Answer.PRUNE})
    assert (talk.ended.reason, talk.ended.swept, talk.ended.value) == (Reason.PRUNED, None, None)
    assert set(talk.ended.metrics) == KEYS
    assert not AttemptPaths(Path(request.folder)).operating_point.exists()


@pytest.mark.long
def test_predictions_are_kept_for_a_later_sweep_and_so_many_at_most(
    launcher: ForkserverLauncher, swept_request: Maker, tmp_path: Path
) -> None:
    kept = PredictionFolder(str(tmp_path / "predictions"), 2, "f" * 64)
    requests = [swept_request({"epochs": 1, "seed": seed}, predictions=kept) for seed in range(3)]
    for request in requests:
        assert Talk(launcher.start(request)).ended.detail == ""
    assert len(list((tmp_path / "predictions").glob("*.npz"))) == 2
    name = key(files.digest(AttemptPaths(Path(requests[-1].folder)).best), kept.data, "val", 96, "deploy")
    predictions = PredictionCache(Path(kept.folder)).load(name)
    assert predictions is not None
    assert len(predictions) == 24


@pytest.mark.long
def test_where_nothing_can_be_kept_the_sweep_still_runs(
    launcher: ForkserverLauncher, swept_request: Maker, tmp_path: Path
) -> None:
    (tmp_path / "predictions").write_text("a file where the folder should be")
    request = swept_request({"epochs": 1}, predictions=PredictionFolder(str(tmp_path / "predictions"), 2, "f" * 64))
    ended = Talk(launcher.start(request)).ended
    assert (ended.reason, ended.detail) == (Reason.COMPLETE, "")
    assert ended.swept is not None


def test_an_exploding_training_is_diverged_and_no_crash(launcher: ForkserverLauncher, request_for: Requests) -> None:
    wild: dict[str, Scalar] = {
        "optimizer": "SGD",
        "lr0": 1.0,
        "warmup_epochs": 0.0,
        "epochs": 8,
        "close_mosaic": 1,
        "momentum": 0.99,
    }
    request = request_for(train=wild, model=str(MODEL_THAT_LEARNS), objective=F1, sweep=PLAN)
    ended = Talk(launcher.start(request)).ended
    assert (ended.reason, ended.swept) == (Reason.DIVERGED, None)


@pytest.mark.parametrize("baseline", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_head_without_suppression_is_swept_over_the_confidence_alone(
    launcher: ForkserverLauncher, request_for: Requests, tmp_path: Path, *, baseline: bool
) -> None:
    model = tmp_path / "free.yaml"
    model.write_text(SMALLEST_MODEL.read_text() + "end2end: true\n")
    point = DEFAULT if baseline else None
    request = request_for(objective=F1, sweep=PLAN, model=str(model), operating_point=point)
    ended = Talk(launcher.start(request)).ended
    assert (ended.reason, ended.detail) == (Reason.COMPLETE, "")
    assert ended.operating_point is not None
    assert ended.operating_point.kind is Kind.NONE
    if not baseline:
        found = ended.swept
        assert found is not None
        assert found.best.point.kind is Kind.NONE
        assert found.settings == 1
