"""Several workers on one study: a user starts, stops and controls them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.cli.conftest import LONGEST_S, Shell
from tests.shared import copy_of

pytestmark = pytest.mark.timeout(1800)  # several real studies one after the other
Study = Callable[..., Path]
QUICK = "recovery: {lease_s: 2, grace_s: 20}\n"


@pytest.fixture
def nodes(shell: Shell, postgres_server: str, tmp_path: Path) -> Iterator[tuple[Shell, Shell]]:
    """Give two machines with separate folders, one PostgreSQL, and one MLflow store."""
    url = postgres.create_database(postgres_server)
    shared = {"HPO_STORAGE": url, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    other = Shell(tmp_path / "other")
    other.folder.mkdir()
    for node in (shell, other):
        node.variables.update(shared)
    yield shell, other
    postgres.drop_database(postgres_server, url)


def states(trials: list[dict[str, Any]]) -> list[str]:
    return sorted(trial["state"] for trial in trials)


def wait_for(what: Callable[[], bool], seconds: float = LONGEST_S) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.long
def test_a_worker_joins_with_its_own_copy_of_the_data_and_the_model_from_the_database(
    nodes: tuple[Shell, Shell], study: Study, tiny: Path
) -> None:
    head, node = nodes
    head.run("create", study(more=QUICK), "budget.trials=2")
    copy = copy_of(tiny, node.folder / "data")
    said = node.run("worker", "small", "--data", copy, "--gpus", "cpu", "--slots-per-gpu", "2")
    assert "finished, 2 of 2 trials" in said
    trials = head.json("trials")
    assert states(trials) == ["COMPLETE"] * 2
    assert all(trial["mlflow_run_id"] for trial in trials)
    slots = {attempt["slot"] for number in "01" for attempt in head.json("trial", number)["attempts"]}
    assert slots == {0, 1}


@pytest.mark.long
def test_a_worker_with_other_data_is_refused(nodes: tuple[Shell, Shell], study: Study, tiny: Path) -> None:
    head, node = nodes
    head.run("create", study(more=QUICK))
    copy = copy_of(tiny, node.folder / "data")
    next((copy.parent / "images" / "val").iterdir()).unlink()
    said = node.run("worker", "small", "--data", copy, code=3)
    assert "data (content of" in said


@pytest.mark.long
def test_sigterm_gives_the_trial_back_and_another_node_ends_the_study(nodes: tuple[Shell, Shell], study: Study) -> None:
    head, node = nodes
    file = study(more=QUICK)
    running = head.run_until("trial 1", "run", file, "budget.trials=3", "train.epochs=6")
    assert head.end(running, signal.SIGTERM) == 128 + signal.SIGTERM
    status = head.json("status")
    assert (status["counts"]["waiting"], status["counts"]["fail"], status["workers"]) == (1, 0, [])
    node.run("worker", "small", "--gpus", "cpu")
    trials = head.json("trials")
    assert states(trials) == ["COMPLETE"] * 3
    assert all(trial["reason"] == "complete" for trial in trials)


@pytest.mark.long
def test_a_node_that_dies_is_seen_by_another_when_its_lease_has_run_out(
    nodes: tuple[Shell, Shell], study: Study
) -> None:
    head, node = nodes
    running = head.run_until("trial 1", "run", study(more=QUICK), "train.epochs=6", "budget.trials=3")
    running.send_signal(signal.SIGSTOP)  # no message says that it is gone
    node.run("worker", "small", "--gpus", "cpu")
    trials = node.json("trials")
    assert sum(trial["state"] == "COMPLETE" for trial in trials) == 3
    assert [trial["reason"] for trial in trials if trial["state"] == "FAIL"] == ["killed"]
    before = node.json("trials")
    running.send_signal(signal.SIGCONT)
    assert head.end(running) == 0
    assert node.json("trials") == before


@pytest.mark.long
def test_pause_stop_cancel_and_resume_from_another_terminal(shell: Shell, study: Study) -> None:
    file = study(more=QUICK)
    running = shell.run_until("trial 0", "run", file, "train.epochs=15")
    shell.run("cancel", "small")
    assert shell.end(running) == 0
    status = shell.json("status")
    assert (status["state"], status["counts"]["waiting"], status["counts"]["fail"]) == ("cancelled", 1, 0)
    assert "hpo resume small" in shell.run("run", file, "train.epochs=15", code=3)
    shell.run("pause", "small")
    shell.run("update", "small", "budget.trials=2")
    waiting = shell.start("worker", "small", "--gpus", "cpu")
    wait_for(lambda: len(shell.json("status")["workers"]) == 1)
    status = shell.json("status")
    assert (status["state"], status["counts"]["complete"]) == ("paused", 0)
    shell.run("resume", "small")
    assert shell.end(waiting) == 0
    assert states(shell.json("trials")) == ["COMPLETE"] * 2
    assert shell.json("status")["budget"]["trials"] == 2
    assert "has begun 2" in shell.run("update", "small", "budget.trials=1", code=2)
    assert "only budget" in shell.run("update", "small", "train.epochs=3", code=2)


@pytest.mark.long
def test_slots_open_by_the_memory_that_real_trainings_took(shell: Shell, study: Study) -> None:
    file = study(more=QUICK)
    assert "neither auto" in shell.run("run", file, "--slots-per-gpu", "many", code=2)
    assert "would take all memory" in shell.run("run", file, "--slots-per-gpu", "auto", "--workers", "2", code=2)
    shell.run("run", file, "--slots-per-gpu", "auto", "budget.trials=3", "train.epochs=4")
    tried = [attempt for number in "012" for attempt in shell.json("trial", number)["attempts"]]
    assert all(100 < attempt["effective"]["peak_mib"] < 4000 for attempt in tried)
    assert {attempt["slot"] for attempt in tried} == set(range(min(2, len(os.sched_getaffinity(0)))))
    assert tried[0]["slot"] == 0
    assert tried[1]["started_at"] > tried[0]["started_at"]


@pytest.mark.long
def test_two_workers_on_one_machine_share_a_study(shell: Shell, study: Study) -> None:
    said = shell.run("run", study(more=QUICK), "--workers", "2", "budget.trials=3")
    assert "2 workers" in said
    trials = shell.json("trials")
    assert states(trials) == ["COMPLETE"] * 3
    assert len({trial["worker"] for trial in trials}) == 2
