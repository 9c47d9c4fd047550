"""Real trainings of the smallest model, each in a forked process."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial import checkpoints
from hpo.trial.messages import Answer, Checkpointed, EpochReport, Started, decode
from hpo.trial.objective import Objective
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Metric, Reason, Scalar
from tests.conftest import MODEL_THAT_LEARNS, Requests, Talk, sampled

F1 = Objective(Metric.F1)
WITHOUT_CLOCK = ("epoch", "objective", "metrics")


def checkpoint_of(request: TrialRequest) -> str:
    saved = checkpoints.newest(AttemptPaths(Path(request.folder)).checkpoints, request.token)
    assert saved is not None
    return str(saved.path)


def curve(talk: Talk) -> list[dict[str, Any]]:
    return [{name: getattr(report, name) for name in WITHOUT_CLOCK} for report in talk.reports]


@dataclass(frozen=True)
class Ran:
    """A training that ran to its end."""

    request: TrialRequest
    talk: Talk


@pytest.fixture(scope="module")
def ran(launcher: ForkserverLauncher, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    request = Requests(tiny, tmp_path_factory.mktemp("ran"))()
    return Ran(request, Talk(launcher.start(request)))


def test_every_epoch_is_reported_once_and_the_final_validation_is_none(ran: Ran) -> None:
    talk = ran.talk
    assert [report.epoch for report in talk.reports] == [1, 2, 3]
    assert talk.ended.reason is Reason.COMPLETE
    assert talk.ended.epochs == 3
    assert talk.exit_code == 0
    assert {"train/cls_loss", "val/dfl_loss", "metrics/mAP50-95B", "lr/pg0"} <= set(talk.reports[0].metrics)


def test_the_outcome_on_disk_is_the_outcome_sent(launcher: ForkserverLauncher, request_for: Any) -> None:
    request = request_for(train={"epochs": 1, "close_mosaic": 0})
    talk = Talk(launcher.start(request))
    assert decode(AttemptPaths(Path(request.folder)).ended.read_bytes()) == talk.ended


def test_same_request_same_curve(launcher: ForkserverLauncher, request_for: Any, ran: Ran) -> None:
    first, second = ran.talk, Talk(launcher.start(request_for()))
    assert curve(first) == curve(second)
    assert first.ended.metrics == second.ended.metrics


def test_what_is_trained_is_what_plain_ultralytics_trains(
    launcher: ForkserverLauncher, ran: Ran, tmp_path: Path
) -> None:
    """``YOLO().train()`` with the same arguments gives the same losses and metrics to the last digit."""
    request, ours = ran.request, ran.talk
    plain = tmp_path / "plain"
    launcher.call(_plain_training, json.dumps([request.model, request.data, request.train, str(plain)]), 120)
    with (plain / "results.csv").open() as theirs, AttemptPaths(Path(request.folder)).results.open() as own:
        rows = list(zip(csv.DictReader(theirs), csv.DictReader(own), strict=True))
    assert len(rows) == 3 == len(ours.reports)
    for stock, trial in rows:
        assert {name: value for name, value in stock.items() if name != "time"} == {
            name: value for name, value in trial.items() if name != "time"
        }


def _plain_training(text: str, pipe: Any, _lifeline: Any) -> None:
    from ultralytics import YOLO
    from ultralytics.utils import SETTINGS

    dict.__setitem__(SETTINGS, "mlflow", False)
    model, data, train, folder = json.loads(text)
    YOLO(model).train(data=data, save_dir=folder, device="cpu", plots=False, patience=0, **train)
    pipe.send_bytes(b"done")


def test_best_pt_is_the_epoch_with_the_best_objective(launcher: ForkserverLauncher, request_for: Any) -> None:
    talk = Talk(launcher.start(request_for(objective=F1, operating_point=sampled())))
    best = max(talk.reports, key=lambda report: (report.objective, report.epoch))
    assert talk.ended.best_epoch == best.epoch


FINE_TUNE: dict[str, Scalar] = {"epochs": 1, "close_mosaic": 0, "imgsz": 96, "lr0": 1e-4, "warmup_epochs": 0.0}


def test_a_sampled_operating_point_never_reaches_the_training(
    launcher: ForkserverLauncher, request_for: Any, trained: Path
) -> None:
    """Two operating points with one training: losses are equal, and conf does not affect AP."""
    low, high = (
        Talk(
            launcher.start(request_for(FINE_TUNE, model=str(trained), objective=F1, operating_point=sampled(conf=conf)))
        )
        for conf in (0.05, 0.9)
    )
    assert curve(low) == curve(high)
    assert low.ended.metrics["map50"] == high.ended.metrics["map50"]
    assert low.ended.metrics["recall"] > high.ended.metrics["recall"]
    assert high.ended.value == high.ended.metrics["f1"]


def test_the_sampled_suppression_is_the_one_that_validates(
    launcher: ForkserverLauncher, request_for: Any, trained: Path
) -> None:
    one, many = (
        Talk(
            launcher.start(
                request_for(
                    FINE_TUNE,
                    model=str(trained),
                    objective=Objective(Metric.MAP50),
                    operating_point=sampled(0.6, 0.05, max_det),
                )
            )
        )
        for max_det in (1, 300)
    )
    assert one.ended.metrics["recall"] < many.ended.metrics["recall"]
    assert one.ended.metrics["map50"] < many.ended.metrics["map50"]
    assert [r.metrics["train/box_loss"] for r in one.reports] == [r.metrics["train/box_loss"] for r in many.reports]


@pytest.mark.parametrize(
    ("best_value", "drawn"),
    [(1.0, False), *(pytest.param(value, True, marks=pytest.mark.long) for value in (0.0, None))],
)
def test_plots_best_draws_for_trials_that_reach_the_best_so_far(
    launcher: ForkserverLauncher, request_for: Any, best_value: float | None, *, drawn: bool
) -> None:
    request = request_for(train={"epochs": 1, "close_mosaic": 0}, plots="best", best_value=best_value)
    Talk(launcher.start(request))
    assert (Path(request.folder) / "confusion_matrix.png").exists() is drawn


def test_a_pruned_training_stops_at_that_epoch(launcher: ForkserverLauncher, request_for: Any) -> None:
    talk = Talk(launcher.start(request_for()), {2: Answer.PRUNE})
    assert talk.ended.reason is Reason.PRUNED
    assert talk.ended.epochs == 2 == len(talk.reports)
    assert talk.ended.value is None
    assert set(talk.ended.metrics) == {"map50", "map50_95", "precision", "recall", "f1"}


CLOSING: dict[str, Scalar] = {"epochs": 4, "close_mosaic": 2}


@pytest.fixture(scope="module")
def whole(launcher: ForkserverLauncher, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Return a training that was never stopped; its mosaic closes on the way."""
    return Talk(launcher.start(Requests(tiny, tmp_path_factory.mktemp("whole"))(CLOSING)))


@pytest.mark.parametrize("stop_at", [*(pytest.param(stop, marks=pytest.mark.long) for stop in (1, 2)), 3])
def test_a_training_that_was_given_back_ends_as_if_it_had_never_stopped(
    launcher: ForkserverLauncher, request_for: Any, whole: Talk, stop_at: int
) -> None:
    """They are equal bit for bit, before the mosaic closes and after it (epoch 3 of 4 is the first without)."""
    request: TrialRequest = request_for(train=CLOSING)
    first = Talk(launcher.start(request), {stop_at: Answer.GIVE_BACK})
    assert first.ended.reason is Reason.GIVEN_BACK
    assert first.all(Checkpointed)[-1].epoch == stop_at == first.ended.epochs
    checkpoint = checkpoint_of(request)
    second = Talk(launcher.start(request_for(train=CLOSING, checkpoint=checkpoint, known_epochs=stop_at)))
    assert curve(first) + curve(second) == curve(whole)
    assert second.ended.metrics == whole.ended.metrics
    assert second.ended.best_epoch == whole.ended.best_epoch


def test_epochs_of_a_checkpoint_that_nobody_stored_are_reported_first(
    launcher: ForkserverLauncher, request_for: Any
) -> None:
    request = request_for()
    first = Talk(launcher.start(request), {2: Answer.GIVE_BACK})
    checkpoint = checkpoint_of(request)
    second = Talk(launcher.start(request_for(checkpoint=checkpoint, known_epochs=1)))
    assert [report.epoch for report in second.reports] == [2, 3]
    assert second.reports[0] == first.reports[1]


def test_a_torn_checkpoint_means_starting_anew(launcher: ForkserverLauncher, request_for: Any, tmp_path: Path) -> None:
    torn = tmp_path / "checkpoint.pt"
    torn.write_bytes(b"PK\x03\x04 half a file")
    talk = Talk(launcher.start(request_for(checkpoint=str(torn), known_epochs=2)))
    assert [report.epoch for report in talk.reports] == [1, 2, 3]
    assert talk.ended.reason is Reason.COMPLETE


def test_an_exploding_training_is_diverged(launcher: ForkserverLauncher, request_for: Any) -> None:
    """SGD at lr0 1 without warm-up: stock Ultralytics ends it "successfully" with all losses 0 or NaN."""
    wild = {"optimizer": "SGD", "lr0": 1.0, "warmup_epochs": 0.0, "epochs": 8, "close_mosaic": 1, "momentum": 0.99}
    talk = Talk(launcher.start(request_for(train=wild, model=str(MODEL_THAT_LEARNS))))
    assert talk.ended.reason is Reason.DIVERGED
    assert "epoch" in talk.ended.detail


def test_bad_data_is_named_as_such(launcher: ForkserverLauncher, request_for: Any, tmp_path: Path) -> None:
    yaml = tmp_path / "data.yaml"
    yaml.write_text(f"path: {tmp_path}\ntrain: nowhere\nval: nowhere\nnames: [a]\n")
    talk = Talk(launcher.start(request_for(data=str(yaml))))
    assert talk.ended.reason is Reason.DATA
    assert "nowhere" in talk.ended.detail


def test_what_was_really_trained_is_told(launcher: ForkserverLauncher, request_for: Any) -> None:
    talk = Talk(launcher.start(request_for(train={"epochs": 1, "close_mosaic": 0, "optimizer": "SGD", "lr0": 0.02})))
    [started] = talk.all(Started)
    assert started.effective["optimizer"] == "SGD"
    assert started.effective["lr0"] == 0.02
    assert started.effective["batch"] == 8
    assert isinstance(talk.messages[-1], type(talk.ended))
    assert talk.all(EpochReport)
