"""Nodes without a shared disk: one node starts a trial, another finishes it from the uploaded checkpoint."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, select

from hpo.servers import Address
from hpo.study.database import tables
from hpo.tracking import ui
from tests import postgres
from tests.cli.conftest import LONGEST_S, Shell
from tests.shared import copy_of
from tests.tracking.support import settings_in
from tests.training.support import untrained

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
EPOCHS = 30
MORE = "recovery: {lease_s: 2, grace_s: 60, checkpoint_every_s: 1}\n"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real server with proxied artifacts: nodes get files only through it."""
    settings = settings_in(tmp_path_factory.mktemp("mlflow"))
    address = Address("127.0.0.1", postgres.free_port())
    with ui.server(settings, address):
        yield address.url


@pytest.fixture
def nodes(postgres_server: str, mlflow: str, tmp_path: Path, tiny: Path) -> Iterator[tuple[Shell, Shell, Shell]]:
    """Give the head node, a first and a second node, each with its own folder and its own copy of the data."""
    url = postgres.create_database(postgres_server)
    made = [Shell(tmp_path / name, {"HPO_STORAGE": url, "MLFLOW_TRACKING_URI": mlflow}) for name in ("a", "b", "c")]
    for node in made:
        copy_of(tiny, node.folder / "data")
    yield made[0], made[1], made[2]
    postgres.drop_database(postgres_server, url)


Study = Callable[..., Path]


def attempts(node: Shell) -> list[Any]:
    engine = create_engine(make_url(node.variables["HPO_STORAGE"]).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            return list(connection.execute(select(tables.attempts).order_by(tables.attempts.c.started_at)))
    finally:
        engine.dispose()


def join(node: Shell) -> subprocess.Popen[str]:
    return node.start("worker", "small", "--data", node.folder / "data" / "data.yaml", "--gpus", "cpu")


def wait_for(what: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LONGEST_S
    while not what():
        assert time.monotonic() < end
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)


def stored(mlflow: str, node: Shell) -> list[str]:
    """Return the checkpoint files in the artifact store."""
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    experiment = MlflowClient(tracking_uri=mlflow).get_experiment_by_name("small")
    repository = get_artifact_repository(f"{experiment.artifact_location}/checkpoints", tracking_uri=mlflow)
    return [each.path for folder in repository.list_artifacts() for each in repository.list_artifacts(folder.path)]


def test_a_confirmation_on_two_nodes_has_its_verdict_on_the_one_that_is_left(
    nodes: tuple[Shell, Shell, Shell], study: Study
) -> None:
    """Weights that the other node trained come from the artifact store."""
    head, first, second = nodes
    head.run("create", study(more="confirm: {top: 1, seeds: 2}"), "budget.trials=2", "train.epochs=2")
    began = join(first)
    wait_for(lambda: sum(row.ended_at is not None for row in attempts(head)) >= 3, began)  # one of the stage's
    helped = join(second)
    for worker in (began, helped):
        _, err = worker.communicate(timeout=LONGEST_S)
        assert worker.returncode == 0, err
    newest = {row.number: row for row in attempts(head)[2:]}  # the stage's; of a run that was tried again the last
    trained_there = sum(row.folder.startswith(str(first.folder)) for row in newest.values())
    shutil.rmtree(first.folder)
    told = second.json("confirm", "small", "--data", second.folder / "data" / "data.yaml", "--gpus", "cpu")
    assert told["seeds"] == 2
    fetched = list((second.home / "studies" / "small.confirm" / "fetched").glob("*.pt"))
    assert len(fetched) == trained_there > 0
    assert second.json("confirm", "small", "--data", second.folder / "data" / "data.yaml") == told


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_trial_started_on_one_node_is_finished_on_another(
    nodes: tuple[Shell, Shell, Shell], mlflow: str, study: Study, how: signal.Signals
) -> None:
    head, first, second = nodes
    head.run("create", study(more=MORE), "baseline=false", "budget.trials=1", f"train.epochs={EPOCHS}")
    started = join(first)
    wait_for(lambda: any(row.uploads and row.uploads[-1]["epoch"] >= 3 for row in attempts(head)), started)
    if how is signal.SIGKILL:
        os.kill(started.pid, how)
        started.communicate(timeout=LONGEST_S)
    else:
        assert first.end(started, how) == 128 + how
    shutil.rmtree(first.folder)  # the files on its disk are out of reach
    _, err = join(second).communicate(timeout=LONGEST_S)
    [trial] = [row for row in head.json("trials") if row["state"] == "COMPLETE"]
    last = attempts(head)[-1]
    assert last.number == trial["number"]
    assert last.folder.startswith(str(second.folder))
    assert 3 <= last.resumed_from < EPOCHS
    epochs = head.json("trial", str(trial["number"]))["curve"]
    assert [row["epoch"] for row in epochs] == list(range(1, EPOCHS + 1)), err
    trained = [row["epoch"] for row in epochs if row["attempt"] == last.attempt]
    assert trained == list(range(last.resumed_from + 1, EPOCHS + 1))
    assert all(not row.uploads for row in attempts(head))
    assert stored(mlflow, head) == []


def test_starting_weights_come_from_the_store_and_are_verified(
    nodes: tuple[Shell, Shell, Shell], mlflow: str, study: Study
) -> None:
    head, first, second = nodes
    weights = untrained(head.folder / "start.pt", ["zero", "one", "four", "seven"])
    quick = ("budget.trials=1", "train.epochs=1", "train.close_mosaic=0", "train.warmup_epochs=0", f"model={weights}")
    head.run("create", study(name="small", more=MORE), "baseline=false", *quick)
    weights.unlink()
    said = first.run("worker", "small", "--data", first.folder / "data" / "data.yaml", "--gpus", "cpu")
    assert "finished, 1 of 1 trials" in said
    [fetched] = (first.home / "weights").rglob("start.pt")
    damage(mlflow, *stored_weights(head))
    said = second.run("worker", "small", "--data", second.folder / "data" / "data.yaml", "--gpus", "cpu", code=2)
    assert "sha256" in said
    place = second.home / "weights" / fetched.parent.name
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fetched, place / "start.pt")  # the message names this way out
    second.run("worker", "small", "--data", second.folder / "data" / "data.yaml", "--gpus", "cpu")


def stored_weights(node: Shell) -> tuple[str, str]:
    """Return the study's experiment, and the location of its weights there."""
    engine = create_engine(make_url(node.variables["HPO_STORAGE"]).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            row = connection.execute(select(tables.studies.c.mlflow_experiment_id, tables.studies.c.facts)).one()
            return row.mlflow_experiment_id, str(row.facts["weights"])
    finally:
        engine.dispose()


def damage(mlflow: str, experiment: str, location: str) -> None:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    root = MlflowClient(tracking_uri=mlflow).get_experiment(experiment).artifact_location
    place, _, name = f"{root}/weights/{location}".rpartition("/")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(b"other weights")
        get_artifact_repository(place, tracking_uri=mlflow).log_artifact(str(Path(folder) / name))
