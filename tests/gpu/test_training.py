"""A trial's process on a GPU: its precision, its memory, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial.messages import Answer, Memory, Started
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason, Scalar
from tests.conftest import Talk
from tests.gpu.conftest import Watch, crowded
from tests.training.test_child import checkpoint_of

SHORT: dict[str, Scalar] = {"epochs": 1, "close_mosaic": 0, "warmup_epochs": 0.0}
LARGE: dict[str, Scalar] = {**SHORT, "imgsz": 640, "batch": 32}
YOLOV8N = "yolov8n.yaml"
SLACK_MIB = 128
"""MiB. Allowed difference between the memory that a process holds and the sampled value of the device."""


@pytest.mark.parametrize("amp", [True, False, "bf16"])
def test_a_trial_takes_the_gpu_in_the_precision_that_is_asked_for(
    launcher: ForkserverLauncher, request_for: Any, gpu: str, *, amp: Scalar
) -> None:
    talk = Talk(launcher.start(request_for({**SHORT, "amp": amp})))
    assert talk.ended.reason is Reason.COMPLETE, talk.ended
    [started] = talk.all(Started)
    assert started.effective["device"] == gpu
    assert started.effective["amp"] == amp


def test_a_trial_that_is_sent_to_the_cpu_leaves_the_gpu_alone(
    launcher: ForkserverLauncher, request_for: Any, watch: Callable[[], Watch]
) -> None:
    with watch() as seen:
        talk = Talk(launcher.start(request_for(SHORT, device="cpu")))
    assert talk.ended.reason is Reason.COMPLETE
    assert not seen.processes


@pytest.mark.parametrize("train", [SHORT, LARGE], ids=["small", "large"])
def test_what_a_trial_says_it_takes_is_what_the_device_lost(
    launcher: ForkserverLauncher, request_for: Any, watch: Callable[[], Watch], train: dict[str, Scalar]
) -> None:
    request = request_for(train, model=YOLOV8N)
    with watch() as seen:
        talk = Talk(launcher.start(request))
    assert talk.ended.reason is Reason.COMPLETE
    said = max(memory.mib for memory in talk.all(Memory))
    assert said == pytest.approx(seen.taken_mib, abs=SLACK_MIB)
    assert len(seen.processes) == 1, "worker and forkserver hold none of it"


def test_without_room_for_its_batch_a_trial_is_out_of_memory_and_trains_no_smaller_one(
    launcher: ForkserverLauncher, request_for: Any
) -> None:
    with crowded(3000):
        talk = Talk(launcher.start(request_for({**LARGE, "imgsz": 1280}, model=YOLOV8N)))
    assert talk.ended.reason is Reason.OOM, talk.ended
    assert "memory" in talk.ended.detail
    assert not talk.reports


def test_without_room_for_a_context_a_trial_is_out_of_memory(launcher: ForkserverLauncher, request_for: Any) -> None:
    with crowded(60):
        talk = Talk(launcher.start(request_for(SHORT)))
    assert talk.ended.reason is Reason.OOM, talk.ended


def test_a_training_that_was_given_back_goes_on_in_another_process(
    launcher: ForkserverLauncher, request_for: Any
) -> None:
    longer: dict[str, Scalar] = {"epochs": 4, "close_mosaic": 2}
    request: TrialRequest = request_for(longer)
    first = Talk(launcher.start(request), {2: Answer.GIVE_BACK})
    assert first.ended.reason is Reason.GIVEN_BACK
    second = Talk(launcher.start(request_for(longer, checkpoint=checkpoint_of(request), known_epochs=2)))
    assert second.ended.reason is Reason.COMPLETE
    assert [started.resumed_from for started in second.all(Started)] == [2]
    assert [report.epoch for report in second.reports] == [3, 4]
    assert second.reports[0].metrics["train/box_loss"] < 1.2 * first.reports[0].metrics["train/box_loss"]
