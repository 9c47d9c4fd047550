"""The proof of a winner as a user runs it: trained again, and judged once on the test split."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import STUDY, Shell, with_test_split

pytestmark = pytest.mark.timeout(1800)
WORDS = ("small.yaml", "train.epochs=1", "train.warmup_epochs=0", "train.close_mosaic=0", "budget.trials=3")
SWEPT = ("objective=f1", "space.iou=[0.3, 0.6]", "confirm={top: 1, seeds: 2}")


@pytest.fixture(scope="module")
def data(tiny: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_test_split(tmp_path_factory.mktemp("with-test"), tiny, scenes)


@dataclass(frozen=True)
class Proven:
    shell: Shell
    said: str
    confirmed: str
    told: dict[str, Any]


@pytest.fixture(scope="module")
def proven(data: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    """Run a swept study with a test split to its verdict with `hpo run`, then `hpo confirm` twice."""
    folder = tmp_path_factory.mktemp("proven")
    (folder / "small.yaml").write_text(STUDY.format(name="small", data=data, model=trained, more=""))
    shell = Shell(folder)
    process = shell.start("run", *WORDS, *SWEPT, "train.imgsz=96")
    said, err = process.communicate(timeout=1500)  # seven trainings, and kernels that are compiled first
    assert process.returncode == 0, err
    return Proven(shell, said, shell.run("confirm", "small"), shell.json("confirm", "small"))


@pytest.mark.long
def test_run_goes_on_to_the_confirmation_and_its_verdict(proven: Proven) -> None:
    assert "0 of 4 runs done" in proven.said
    assert "confirm  finished: 4 of 4 runs" in proven.said
    assert proven.told["sentence"] in proven.said
    assert proven.confirmed.splitlines()[-1] == proven.told["sentence"]
    assert proven.confirmed.splitlines()[-3].startswith("gain ")
    assert "hpo promote small" in proven.confirmed.splitlines()[-2]
    assert "hpo promote small" in proven.said


@pytest.mark.long
def test_a_worker_may_join_the_stage_itself_and_leaves_when_it_is_finished(proven: Proven) -> None:
    said = proven.shell.run("worker", "small.confirm", "--gpus", "cpu")
    assert said.splitlines()[-1] == "small.confirm: finished, 4 of 4 trials"


@pytest.mark.long
def test_the_verdict_is_of_the_test_split_which_is_looked_at_once(proven: Proven) -> None:
    told = proven.told
    assert {"claim", "difference", "low", "high", "seeds", "winner"} <= set(told)
    assert (told["split"], told["look"], told["seeds"]) == ("test", 1, 2)
    assert told["low"] <= told["difference"] <= told["high"]
    assert told["gain"]["training"] + told["gain"]["operating_point"] == pytest.approx(told["difference"])
    with sqlite3.connect(proven.shell.home / "hpo.db") as store:
        looks = list(store.execute("select split, weights from hpo_looks"))
    assert looks == [("test", None)]  # three commands have printed the verdict


@pytest.mark.long
def test_what_is_trained_again_is_kept_apart_from_the_search(proven: Proven) -> None:
    status = proven.shell.json("status")
    assert (status["study"], status["budget"]["counted"]) == ("small", 3)
    assert status["confirm"]["verdict"] == proven.told
    assert len(proven.shell.json("trials")) == 3
    runs = proven.shell.json("trials", "small.confirm")
    assert [run["state"] for run in runs] == ["COMPLETE"] * 4
    assert proven.told["winner"] == max(proven.shell.json("trials")[1:], key=lambda trial: trial["value"])["number"]
    point = proven.shell.json("trial", str(proven.told["winner"]))["sweep"]
    assert runs[1]["operating_point"]["conf"] == point[point["recommended"]]["conf"]
    assert runs[0]["operating_point"]["conf"] == 0.25
    table = proven.shell.run("trials")
    assert "confirmation" in table
    assert "baseline" in table


@pytest.mark.long
def test_both_stages_are_in_one_experiment_told_apart_by_a_tag(proven: Proven) -> None:
    with sqlite3.connect(proven.shell.home / "mlflow.db") as store:
        sql = "select r.experiment_id, t.value from runs r join tags t using (run_uuid) where t.key = 'stage'"
        found = sorted(store.execute(sql))
        verdicts = list(store.execute("select value from tags where key = 'verdict'"))
        experiments = [name for (name,) in store.execute("select name from experiments where name like 'small%'")]
    assert experiments == ["small"]
    assert verdicts == [(proven.told["sentence"],)] * 2  # on the run of the stage, and on the study's own
    assert len({experiment for experiment, _ in found}) == 1
    assert [stage for _, stage in found] == ["confirm"] * 4 + ["confirmation"] + ["search"] * 3 + ["study"]
    synced = proven.shell.json("sync")
    assert (synced["created"], synced["confirm"]["created"], synced["confirm"]["runs"]) == (0, 0, 4)


@pytest.mark.long
def test_a_stopped_confirmation_goes_on_and_its_run_starts_again(shell: Shell, tiny: Path, trained: Path) -> None:
    (shell.folder / "small.yaml").write_text(STUDY.format(name="small", data=tiny, model=trained, more=""))
    shell.run("run", "small.yaml", "budget.trials=2", "baseline=false")
    words = ("confirm", "small", "--top", "1", "--seeds", "2")
    running = shell.run_until("run 1", *words)
    assert shell.end(running, signal.SIGTERM) == 143
    assert shell.json("status")["confirm"]["verdict"] is None
    said = shell.run(*words)
    assert "from epoch 1" in said  # not from a checkpoint
    assert said.splitlines()[-1].endswith("measured on val, which also chose the winner")
    assert len(shell.json("trials", "small.confirm")) == 4
    refused = shell.run("confirm", "small", "--seeds", "3", code=3)
    assert "seeds: stored 2, asked 3" in refused


@pytest.mark.long
def test_what_is_not_finished_or_not_there_can_not_be_confirmed(shell: Shell, study: Callable[..., Path]) -> None:
    shell.run("create", study())
    assert "is not finished (0 of 4 trials)" in shell.run("confirm", "small", code=2)
    assert "no study 'other'" in shell.run("confirm", "other", code=2)
