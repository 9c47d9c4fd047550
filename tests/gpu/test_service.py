"""Studies on a GPU as a user runs them: several trials on one device, out of memory, stopped, promoted."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.trial.messages import Memory
from hpo.trial.vocabulary import Reason
from tests.cli.conftest import STUDY, Shell, with_test_split
from tests.conftest import SMALLEST_MODEL, Talk
from tests.gpu.conftest import Watch, crowded
from tests.gpu.test_training import LARGE, YOLOV8N

pytestmark = pytest.mark.timeout(900)
SHORT = ("train.epochs=2", "train.warmup_epochs=0", "train.close_mosaic=0")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def file(tiny: Path, scenes: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write the study ``small``; its data has a test split."""

    def write(model: str | Path = SMALLEST_MODEL) -> Path:
        data = with_test_split(tmp_path / "data", tiny, scenes)
        (tmp_path / "small.yaml").write_text(STUDY.format(name="small", data=data, model=model, more=""))
        return tmp_path / "small.yaml"

    return write


def test_doctor_names_the_gpu(shell: Shell, gpu: str) -> None:
    assert gpu in shell.run("doctor")


def test_slots_train_side_by_side_on_one_gpu(
    shell: Shell, file: Callable[..., Path], watch: Callable[[], Watch]
) -> None:
    with watch() as seen:
        said = shell.run("run", file(), *SHORT, "budget.trials=4", "--slots-per-gpu", "4")
    assert "4 of 4 trials" in said
    assert {trial["state"] for trial in shell.json("trials")} == {"COMPLETE"}
    assert len(seen.processes) == 4, "each trial in a process of its own, and no other on the GPU"
    assert seen.most_at_once > 1


def test_auto_fills_the_gpu_once_it_knows_what_a_trial_takes(
    shell: Shell, file: Callable[..., Path], trained: Path, watch: Callable[[], Watch]
) -> None:
    with watch() as seen:  # untrained weights would learn nothing, and such a search is ended early
        shell.run("run", file(trained), *SHORT, "budget.trials=8", "--slots-per-gpu", "auto")
    assert {trial["state"] for trial in shell.json("trials")} == {"COMPLETE"}
    assert seen.most_at_once > 1


def test_two_that_do_not_fit_beside_each_other_are_both_trained_in_the_end(
    shell: Shell, file: Callable[..., Path], launcher: ForkserverLauncher, request_for: Any
) -> None:
    """The device has enough memory for one trial and a part of another."""
    alone = Talk(launcher.start(request_for(LARGE, model=YOLOV8N)))
    assert alone.ended.reason is Reason.COMPLETE
    takes = max(memory.mib for memory in alone.all(Memory))
    words = (*SHORT, "train.imgsz=640", "train.batch=32", "budget.trials=2", "--slots-per-gpu", "2")
    with crowded(1.25 * takes):
        shell.run("run", file(YOLOV8N), *words)
    trials = [shell.json("trial", str(number)) for number in range(2)]
    assert {trial["state"] for trial in trials} == {"COMPLETE"}
    reasons = [attempt["reason"] for trial in trials for attempt in trial["attempts"]]
    assert "oom" in reasons
    assert shell.json("status")["budget"]["counted"] == 2


def test_sigterm_gives_the_trial_back_and_it_goes_on_from_its_checkpoint(
    shell: Shell, file: Callable[..., Path]
) -> None:
    words = ("run", file(), "train.epochs=12", "budget.trials=1")
    running = shell.run_until("trial 0", *words)
    assert shell.end(running, signal.SIGTERM) == 143
    stopped = shell.json("trial", "0")
    shell.run(*words)
    finished = shell.json("trial", "0")
    assert stopped["state"] == "WAITING"
    assert finished["state"] == "COMPLETE"
    assert len(finished["curve"]) == 12
    assert [attempt["resumed_from"] for attempt in finished["attempts"]][-1] == len(stopped["curve"])


def test_a_winner_is_confirmed_and_handed_over_with_its_numbers_found_again(
    shell: Shell, file: Callable[..., Path], trained: Path
) -> None:
    """Fresh processes measure the folder, also its ONNX, and must find the same values as the training's process."""
    sweep = ("objective=f1", "space.iou=[0.3, 0.6]", "confirm={top: 1, seeds: 2}", "train.imgsz=96")
    said = shell.run("run", file(trained), *SHORT, *sweep, "budget.trials=3", "--slots-per-gpu", "3")
    assert shell.json("confirm", "small")["sentence"] in said
    told = shell.json("promote", "small", "--output", "final", "--export", "onnx")
    assert [split["missing"] for split in told["exports"]["onnx"].values()] == [0, 0]
