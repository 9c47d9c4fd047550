"""Each family of detectors is trained by Ultralytics' own trainer, and measured as it is deployed."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial import checkpoints
from hpo.trial.families import Family
from hpo.trial.kinds import Kind
from hpo.trial.messages import Checkpointed, Message
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepPlan
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import TrialProcess
from hpo.trial.vocabulary import Metric, Reason, Scalar
from tests.conftest import ROOT, SMALLEST_MODEL, Requests, Talk
from tests.training.parity import (
    captured,
    check_predict,
    check_val,
    counted,
    images_of,
)
from tests.training.support import Subject, made_up, resolved, spread

RTDETR = ROOT / "configs" / "models" / "rtdetr-w0625.yaml"
F1 = Objective(Metric.F1)
PLAN = SweepPlan(ious=(0.5,), conf=(0.05, 0.6), resamples=100)
ONE_EPOCH: dict[str, Scalar] = {"epochs": 1, "close_mosaic": 0, "warmup_epochs": 0.0}
POINTS = [OperatingPoint(None, conf, max_det, Kind.NONE) for conf, max_det in ((0.001, 300), (0.4, 300), (0.3, 5))]


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory, ultralytics: None) -> Subject:
    """Return an RT-DETR of random numbers, with scores that differ, and images of several shapes."""
    import torch
    from ultralytics.nn.tasks import RTDETRDetectionModel

    folder = tmp_path_factory.mktemp("queries")
    torch.manual_seed(0)
    model = RTDETRDetectionModel(str(RTDETR), nc=2, verbose=False)
    model.names = {0: "a", 1: "b"}
    spread(model)
    head = model.model[-1]
    for layer in (*head.dec_score_head, head.enc_score_head, *(boxes.layers[-1] for boxes in head.dec_bbox_head)):
        torch.nn.init.normal_(layer.weight, std=0.1)
    file = folder / "weights.pt"
    torch.save({"model": model, "train_args": {"imgsz": 96, "task": "detect"}}, file)
    return Subject(file, made_up(folder / "data", ["a", "b"], [0, 1]), 96)


def test_rtdetr_is_what_model_predict_sees(queries: Subject) -> None:
    predictions = captured(queries, "deploy")
    assert predictions.suppressed
    assert len(predictions.scores) > 20 * len(predictions)
    for point in POINTS:
        assert check_predict(queries, point, predictions) == []


def test_rtdetr_is_what_model_val_sees(queries: Subject, tmp_path: Path) -> None:
    predictions = captured(queries, "val")
    assert predictions.suppressed
    for point in POINTS:
        check_val(queries, point, tmp_path, predictions)


@pytest.mark.parametrize("by_class", [None, (0.3, 0.5)], ids=["plain", "by-class"])
def test_a_deployed_rtdetr_finds_what_its_setting_was_rated_by(
    queries: Subject, by_class: tuple[float, ...] | None
) -> None:
    from hpo.detection.apply import detections
    from hpo.training.ultralytics_internals.predictor import Detector
    from hpo.training.ultralytics_internals.weights import load

    point = OperatingPoint(None, 0.4, 300, Kind.NONE, per_class_conf=by_class)
    predictions = captured(queries, "deploy")
    detector = Detector(load(queries.weights), point, device="cpu", imgsz=queries.imgsz)
    for name, rated in zip(predictions.images, detections(predictions, point), strict=True):
        (found,) = detector.predict(images_of(queries) / name)
        assert found.boxes.conf.numpy() == pytest.approx(rated.scores, abs=1e-5)
        assert found.boxes.xyxy.numpy() == pytest.approx(rated.boxes, abs=0.01)


@pytest.mark.long
def test_rtdetr_is_trained_and_swept_over_the_confidence_alone(
    launcher: ForkserverLauncher, request_for: Requests
) -> None:
    request = request_for(ONE_EPOCH, model=str(RTDETR), objective=F1, sweep=PLAN)
    ended = Talk(launcher.start(request)).ended
    assert (ended.reason, ended.detail) == (Reason.COMPLETE, "")
    assert ended.swept is not None
    assert ended.swept.settings == 1
    assert ended.swept.best.point.kind is Kind.NONE


# the two branches of YOLOv10 and YOLO26


@pytest.fixture(scope="module")
def branches(trained: Path, tmp_path_factory: pytest.TempPathFactory, ultralytics: None) -> Path:
    """Return a detector with two equal branches: without suppression every object is found several times."""
    import torch
    from ultralytics.nn.tasks import DetectionModel, load_checkpoint

    known, _ = load_checkpoint(str(trained))
    model = DetectionModel({**known.yaml, "end2end": True}, nc=4, verbose=False)
    state = known.float().state_dict()
    head = f"model.{len(known.model) - 1}.cv"
    state |= {name.replace(".cv", ".one2one_cv"): value for name, value in state.items() if name.startswith(head)}
    model.load_state_dict(state)
    model.names = known.names
    file = tmp_path_factory.mktemp("branches") / "branches.pt"
    torch.save({"model": model, "train_args": {"imgsz": 96, "task": "detect"}}, file)
    return file


TUNED: dict[str, Scalar] = {**ONE_EPOCH, "imgsz": 96, "lr0": 1e-4}


@pytest.mark.long
def test_a_detector_with_two_branches_is_worth_what_predict_finds_on_the_deployed_one(
    launcher: ForkserverLauncher, request_for: Requests, branches: Path, tiny: Path, tmp_path: Path
) -> None:
    request = request_for(TUNED, model=str(branches), objective=F1, sweep=PLAN)
    ended = Talk(launcher.start(request)).ended
    assert ended.swept is not None
    subject = Subject(AttemptPaths(Path(request.folder)).best, resolved(tiny, tmp_path), 96)
    for rated in (ended.swept.default, ended.swept.best):
        assert counted(subject, rated.point, nms=False)[2] == pytest.approx(rated.scores["f1"], abs=1e-6)
        assert counted(subject, rated.point)[2] > rated.scores["f1"] + 0.05, (
            "the branches must be worth different values"
        )
    in_sample = ended.swept.best.scores["f1"]
    assert in_sample == pytest.approx(ended.swept.in_sample, abs=1e-6)


def test_a_detector_with_two_branches_is_validated_on_the_deployed_one(
    launcher: ForkserverLauncher, request_for: Requests, branches: Path
) -> None:
    from ultralytics import YOLO

    request = request_for(TUNED, model=str(branches), objective=Objective(Metric.MAP50))
    talk = Talk(launcher.start(request))
    best = AttemptPaths(Path(request.folder)).best
    common = {"data": request.data, "imgsz": 96, "batch": 16, "device": "cpu", "plots": False, "verbose": False}
    deployed, other = (YOLO(best).val(**common, nms=nms).box.map50 for nms in (False, None))
    assert talk.ended.value == pytest.approx(deployed, abs=1e-6)
    assert talk.reports[-1].objective == pytest.approx(deployed, abs=0.01), "best.pt is rounded to 16 bits"
    assert other > deployed + 0.05, "the branches must be worth different values"


# equal to plain Ultralytics


@dataclass(frozen=True)
class Own:
    """A training by plain Ultralytics."""

    model: Path
    further: dict[str, Scalar]


@pytest.fixture(params=["rtdetr", "two branches"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Own:
    if request.param == "rtdetr":
        return Own(RTDETR, {})
    model = tmp_path / "branches.yaml"
    model.write_text(SMALLEST_MODEL.read_text() + "end2end: true\n")
    return Own(model, {"nms": False})


class Killed(Talk):
    """A conversation that ends with SIGKILL at the first checkpoint."""

    def __init__(self, process: TrialProcess) -> None:
        self._process = process
        super().__init__(process)

    @override
    def hear(self, message: Message) -> None:
        if isinstance(message, Checkpointed):
            self._process.kill()


@pytest.mark.long
def test_a_training_killed_or_not_is_what_ultralytics_trains_for_that_family(
    launcher: ForkserverLauncher, request_for: Requests, own: Own, tmp_path: Path
) -> None:
    """Losses, metrics and weights are equal to the last digit."""
    whole = request_for(model=str(own.model))
    Talk(launcher.start(whole))
    plain = tmp_path / "plain"
    train = {**whole.train, **own.further}
    launcher.call(_plain_training, json.dumps([str(own.model), whole.data, train, str(plain)]), 300)
    first = request_for(model=str(own.model))
    killed = Killed(launcher.start(first))
    saved = checkpoints.newest(AttemptPaths(Path(first.folder)).checkpoints, first.token)
    assert saved is not None
    again = request_for(model=str(own.model), checkpoint=str(saved.path), known_epochs=len(killed.reports))
    assert Talk(launcher.start(again)).ended.reason is Reason.COMPLETE
    for trial in (whole, again):
        _check_equal(AttemptPaths(Path(trial.folder)), plain)


def _check_equal(paths: AttemptPaths, plain: Path) -> None:
    import torch

    with (plain / "results.csv").open() as theirs, paths.results.open() as ours:
        rows = list(zip(csv.DictReader(theirs), csv.DictReader(ours), strict=True))
    for stock, trial in rows:
        assert {**stock, "time": ""} == {**trial, "time": ""}
    last = paths.best.with_name("last.pt")
    expected, found = (
        torch.load(file, weights_only=False)["model"].state_dict() for file in (plain / "weights" / "last.pt", last)
    )
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def _plain_training(text: str, pipe: Any, _lifeline: Any) -> None:
    from ultralytics import RTDETR, YOLO
    from ultralytics.utils import SETTINGS

    dict.__setitem__(SETTINGS, "mlflow", False)
    model, data, train, folder = json.loads(text)
    kind = RTDETR if "rtdetr" in model else YOLO
    kind(model).train(data=data, save_dir=folder, device="cpu", plots=False, patience=0, **train)
    pipe.send_bytes(b"done")


def test_no_training_has_a_name_that_ultralytics_attaches_other_services_to() -> None:
    from hpo.training.ultralytics_internals.runs import RUNS

    assert not [run for run in RUNS.values() if "Trainer" in run.__name__]


def test_every_family_has_its_training(ultralytics: None) -> None:
    from hpo.training.ultralytics_internals.runs import RUNS

    assert set(RUNS) == set(Family)


def test_the_default_of_a_family_without_nms_is_the_confidence_alone(queries: Subject) -> None:
    from hpo.detection.rating import default_for

    assert default_for(captured(queries, "deploy")) == OperatingPoint(None, DEFAULT.conf, DEFAULT.max_det, Kind.NONE)
