"""Studies as a user runs them, to the end and through every kind of interruption."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.conftest import Done, Shell

Study = Callable[..., Path]


def without_clock(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the values that the same seed must give again."""
    return [{name: trial[name] for name in ("state", "value", "params", "metrics")} for trial in trials]


def test_a_study_runs_to_its_budget(done: Done) -> None:
    assert "4 of 4 trials" in done.said
    assert "hpo ui small" in done.said

    # stock Ultralytics would leave mlflow.db, runs/detect and downloaded weights here
    assert done.left == {"small.yaml", "runs"}
    assert not (done.shell.home / "detect").exists()

    trials = done.trials
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert {trial["state"] for trial in trials} == {"COMPLETE"}
    assert all(trial["mlflow_run_id"] for trial in trials)
    assert all(set(trial["metrics"]) == {"map50", "map50_95", "precision", "recall", "f1"} for trial in trials)
    assert len({trial["params"]["lr0"] for trial in trials}) == 4

    status = done.shell.json("status")
    assert status["state"] == "finished"
    assert status["counts"] == {"waiting": 0, "running": 0, "complete": 4, "pruned": 0, "fail": 0}


@pytest.mark.long
def test_its_winner_is_handed_over_as_ultralytics_takes_it(done: Done) -> None:
    best = done.shell.json("best", "--save", "winner")
    assert best["value"] == max(trial["value"] for trial in done.trials)
    assert all(Path(best[name]).exists() for name in ("weights", "hyperparameters", "predict"))
    ultralytics_takes(done.shell, "train", best["hyperparameters"], "epochs=1", "plots=false")
    ultralytics_takes(done.shell, "predict", best["predict"], f"source={_an_image(done.file)}")


def _an_image(study_file: Path) -> Path:
    data = next(line.split()[1] for line in study_file.read_text().splitlines() if line.startswith("data:"))
    return next((Path(data).parent / "images" / "val").iterdir())


def ultralytics_takes(shell: Shell, mode: str, settings: str, *words: str) -> None:
    environment = shell.environment | {"YOLO_CONFIG_DIR": str(shell.home / "ultralytics"), "YOLO_OFFLINE": "true"}
    command = [sys.executable, "-m", "ultralytics.cfg.__init__", mode, f"cfg={settings}", "device=cpu", *words]
    done = subprocess.run(command, cwd=shell.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_running_again_changes_nothing(done: Done) -> None:
    done.shell.run("run", done.file)
    assert done.shell.json("trials") == done.trials
    assert len(list(done.shell.home.glob("studies/small/trials/*/weights/best.pt"))) == 1


@pytest.mark.long
def test_a_study_stopped_in_the_middle_proposes_and_finds_the_same(shell: Shell, study: Study, done: Done) -> None:
    words = ("run", study(), "budget.trials=3")
    running = shell.run_until("trial 1", *words)
    assert shell.end(running, signal.SIGINT) == 130
    stopped = shell.json("status")
    assert stopped["counts"]["running"] == 0
    assert stopped["counts"]["waiting"] == 1
    shell.run(*words)
    trials = shell.json("trials")
    assert without_clock(trials) == without_clock(done.trials[:3])  # the last one was proposed from the others' results


@pytest.mark.long
def test_two_interrupts_end_at_once_and_lose_nothing(shell: Shell, study: Study, done: Done) -> None:
    file = study()
    running = shell.run_until("trial 1", "run", file)
    assert shell.end(running, signal.SIGINT, signal.SIGINT) == 130
    assert shell.json("status")["counts"]["fail"] == 0
    shell.run("run", file)
    assert without_clock(shell.json("trials")) == without_clock(done.trials)


@pytest.mark.long
def test_a_killed_worker_costs_time_and_no_budget(shell: Shell, study: Study) -> None:
    words = ("run", study(), "budget.trials=2")
    running = shell.run_until("trial 1", *words)
    family = psutil.Process(running.pid).children(recursive=True)
    assert shell.end(running, signal.SIGKILL) == -signal.SIGKILL
    psutil.wait_procs(family, timeout=2)
    shell.run(*words)
    trials = shell.json("trials")
    dead = [trial for trial in trials if trial["state"] == "FAIL"]
    assert [trial["reason"] for trial in dead] == ["killed"]
    assert sum(trial["state"] == "COMPLETE" for trial in trials) == 2
    retry = trials[-1] if trials[-1]["params"] == dead[0]["params"] else trials[2]
    assert retry["params"] == dead[0]["params"]


@pytest.mark.long
def test_a_killed_training_is_tried_again_by_the_same_worker(shell: Shell, study: Study) -> None:
    running = shell.run_until("trial 0", "run", study(), "budget.trials=1")
    _training(running.pid).kill()
    assert shell.end(running) == 0
    states = [(trial["state"], trial["reason"]) for trial in shell.json("trials")]
    assert states.count(("FAIL", "killed")) == 1
    assert states.count(("COMPLETE", "complete")) == 1


@pytest.mark.long
def test_a_hung_training_is_ended_and_tried_again(shell: Shell, study: Study) -> None:
    running = shell.run_until("trial 1", "run", study(more="recovery: {hung_s: 3}\n"), "budget.trials=2")
    _training(running.pid).suspend()
    assert shell.end(running) == 0
    reasons = [trial["reason"] for trial in shell.json("trials")]
    assert reasons.count("hung") == 1
    assert reasons.count("complete") == 2


def _training(worker: int) -> psutil.Process:
    """Return the forked training: it leads its own session below the worker."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for process in psutil.Process(worker).children(recursive=True):
            with suppress(ProcessLookupError):
                if os.getsid(process.pid) == process.pid:
                    return process
        time.sleep(0.05)
    raise AssertionError("no training was started")


@pytest.mark.long
def test_a_study_that_is_being_run_is_not_deleted_and_sigterm_gives_the_trial_back(shell: Shell, study: Study) -> None:
    running = shell.run_until("trial 0", "run", study(), "budget.trials=100")
    assert "hpo cancel small" in shell.run("delete", "small", "--yes", code=3)
    assert shell.end(running, signal.SIGTERM) == 128 + signal.SIGTERM
    assert shell.json("status")["counts"]["waiting"] == 1
    shell.run("delete", "small", "--yes")


@pytest.mark.long
def test_another_spec_under_a_stored_name_is_refused_with_the_differences(shell: Shell, study: Study) -> None:
    file = study()
    shell.run("create", file)
    said = shell.run("run", file, "train.epochs=5", code=3)
    assert "epochs" in said
    assert "3" in said
    assert "5" in said


def test_a_wrong_file_is_reported_whole_and_nothing_is_written(shell: Shell, study: Study) -> None:
    file = study(more="bugdet: {trials: 3}\n")
    said = shell.run("run", file, "train.imgsz=abc", code=2)
    assert f"{file}:" in said
    assert "budget" in said
    assert "imgsz" in said
    assert not shell.home.exists()


@pytest.mark.long
def test_weights_that_are_none_are_named_with_their_place(shell: Shell, study: Study) -> None:
    (shell.folder / "broken.pt").write_bytes(b"not a checkpoint")
    file = study()
    said = shell.run("run", file, "model=broken.pt", code=2)
    assert "model:" in said
    assert "broken.pt" in said
    assert not (shell.home / "hpo.db").exists()


@pytest.mark.long
def test_weights_can_be_started_from(shell: Shell, study: Study, trained: Path) -> None:
    shell.run("run", study(), f"model={trained}", "budget.trials=1", "train.epochs=2", "train.imgsz=96")
    assert shell.json("best")["metrics"]["map50"] > 0.05


@pytest.mark.long
def test_a_study_in_which_nothing_can_be_trained_stops_and_keeps_its_budget(shell: Shell, study: Study) -> None:
    (shell.folder / "broken.yaml").write_text("nc: 4\nbackbone: []\nhead: [[[0], 1, Detect, [nc]]]\n")
    said = shell.run("run", study(), "model=broken.yaml", code=1)
    assert "before their first epoch" in said
    assert "log.txt" in said
    status = shell.json("status")
    assert (status["budget"]["counted"], status["control"]) == (0, "pause")
    assert "no trial has reached its first epoch" in status["control_reason"]
    assert status["counts"]["waiting"] == 1, "its values are not lost"
    assert [attempt["reason"] for attempt in shell.json("trial", "1")["attempts"]] == ["crash"]


@pytest.mark.long
def test_plots_are_drawn_and_kept_where_the_study_asks(shell: Shell, study: Study) -> None:
    shell.run("run", study(), "budget.trials=1", "plots=all", "train.epochs=2")
    [run_id] = [trial["mlflow_run_id"] for trial in shell.json("trials")]
    pictures = {path.name for path in shell.home.glob(f"mlartifacts/*/{run_id}/artifacts/plots/*")}
    assert {"results.png", "confusion_matrix.png"} <= pictures


def test_what_is_stored_is_read_by_optunas_own_command(done: Done) -> None:
    command = [
        sys.executable,
        "-c",
        "from optuna.cli import main; main()",
        "trials",
        "--study-name",
        "small",
        "-f",
        "json",
    ]
    storage = ["--storage", f"sqlite:///{done.shell.home / 'hpo.db'}"]
    told = subprocess.run(command + storage, capture_output=True, text=True, check=True)
    assert '"COMPLETE"' in told.stdout


def test_mlflow_holds_a_run_a_trial_and_one_for_the_study(done: Done) -> None:
    with sqlite3.connect(done.shell.home / "mlflow.db") as store:
        runs = store.execute("select name, status from runs order by name").fetchall()
    assert runs == [(name, "FINISHED") for name in ("study", *(f"trial-0000{number}" for number in range(4)))]


@pytest.mark.long
def test_nothing_is_deleted_without_a_yes(shell: Shell, study: Study) -> None:
    shell.run("create", study())
    assert "delete study 'small'" in shell.run("delete", "small", code=130)
    assert shell.json("status", "small")["study"] == "small"


@pytest.mark.long
def test_a_deleted_study_is_gone_and_can_be_made_again(done: Done) -> None:
    shell = done.shell
    shell.run("delete", "small", "--yes")
    assert not (shell.home / "studies" / "small").exists()
    shell.run("create", done.file, "train.epochs=5")
    assert shell.json("trials") == []
