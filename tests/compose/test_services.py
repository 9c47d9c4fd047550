"""docker-compose.cpu.yml on a Docker engine: two workers train, one is stopped, one is killed, the study finishes.

`make test-compose` runs it. It builds two images and takes its time, so neither `make test` nor `make test-long` does.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.compose import images
from tests.compose.docker import Docker, engine
from tests.compose.project import STUDY, Observer, Project, compose_of, write_images
from tests.conftest import ROOT, SMALLEST_MODEL
from tests.shared import copy_of

pytestmark = [pytest.mark.long, pytest.mark.compose, pytest.mark.timeout(5400)]
LOG = logging.getLogger("compose")
PORTS = (5432, 5000, 8080)
TRIALS = 3
LEASE_S = 20.0
FILE = f"""\
name: {STUDY}
data: /data/data.yaml
model: /studies/{SMALLEST_MODEL.name}
train: {{epochs: 30, imgsz: 64, batch: 8, optimizer: AdamW, warmup_epochs: 1, close_mosaic: 1}}
space:
  lr0: {{low: 1e-4, high: 3e-2, log: true}}
objective: map50
search: {{seed: 3, sampler: {{name: random}}, pruner: none}}
budget: {{trials: {TRIALS}}}
recovery: {{lease_s: {LEASE_S:.0f}, checkpoint_every_s: 5}}
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} of docker-compose.cpu.yml is taken on this machine")
    with engine() as docker:
        yield docker


@pytest.fixture(scope="module")
def built(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[images.Built]:
    images.provide_bases(docker, tmp_path_factory.mktemp("bases"))
    with images.built(docker) as built:
        yield built


@pytest.fixture
def project(docker: Docker, built: images.Built, tiny: Path, tmp_path: Path) -> Iterator[Project]:
    """Give the project with its study, data and secrets; what it made ends with the test."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / f"{STUDY}.yaml").write_text(FILE)
    shutil.copy(SMALLEST_MODEL, tmp_path / "studies")
    data = copy_of(tiny, tmp_path / "data")
    data.write_text("path: .\ntrain: images/train\nval: images/val\nnames: [零, one, four, seven]\n")
    subprocess.run([ROOT / "deploy" / "make-secrets", tmp_path / "secrets"], check=True, capture_output=True)
    write_images(tmp_path, built)
    project = Project(docker, f"hpo-test-{os.getpid()}", tmp_path, compose_of(docker))
    try:
        yield project
    finally:
        project.run("down", "--volumes", "--remove-orphans", "--timeout", "20")
        for kind, remove in (("container", ["rm", "--force", "--volumes"]), ("network", ["network", "rm"])):
            for left in docker.ids(kind, f"label=com.docker.compose.project={project.name}"):
                docker.run(*remove, left)


def test_two_workers_finish_a_study_although_one_is_stopped_and_one_is_killed(
    project: Project, built: images.Built
) -> None:
    LOG.info("images: %s MB, built in %s s", built.sizes_mb, built.seconds)
    project.run("up", "--detach", "--no-build", "mlflow", "dashboard")
    for name in ("postgres", "mlflow", "dashboard"):
        project.wait(partial(_healthy, project, name), f"{name} is not healthy")
    LOG.info("the head's services are healthy")
    project.run("run", "--rm", "-T", "worker", "hpo", "create", f"/studies/{STUDY}.yaml")
    observer = Observer(project, f"{project.name}-observer")
    project.run("run", "--detach", "--name", observer.container, "--no-deps", "worker", "sleep", "5400")
    project.run("up", "--detach", "--no-build", "--no-deps", "--scale", "worker=2", "worker")
    stopped, killed = project.containers("worker")

    _stop_gives_back(observer, stopped)
    LOG.info("stopped: the trial is given back")
    project.docker.run("start", stopped)
    again = _kill_waits_for_its_lease(observer, killed)
    LOG.info("killed: the trial waited for its lease and goes on")

    assert project.ended(stopped) == 0
    status = observer.status()
    assert status["state"] == "finished"
    assert status["budget"]["counted"] == TRIALS
    trials = observer.json("trials", STUDY)
    assert [trial["state"] for trial in trials].count("COMPLETE") == TRIALS
    assert [trial["reason"] for trial in trials if trial["state"] != "COMPLETE"] == ["killed"]
    assert observer.trial(again)["state"] == "COMPLETE"
    LOG.info("finished: %d trials of %d count", status["budget"]["counted"], TRIALS)
    _servers_show(trials)
    _nothing_shows_a_secret(project)
    project.run("down", "--volumes", "--remove-orphans")
    assert project.left() == []


def _healthy(project: Project, service: str) -> bool:
    return [project.state(found)["Health"]["Status"] for found in project.containers(service)] == ["healthy"]


def _stop_gives_back(observer: Observer, container: str) -> None:
    """`docker stop` of a container in mid-trial: exit 143, and the trial has used no retry."""
    number = observer.training(container)
    observer.project.docker.run("stop", container, within_s=300)
    assert observer.project.ended(container) == 143
    first = observer.trial(number)["attempts"][0]
    assert first["reason"] == "given_back", observer.project.logs()


def _kill_waits_for_its_lease(observer: Observer, container: str) -> int:
    """`docker kill` of a container in mid-trial: the trial stays its own for a lease, then goes on; return the trial
    that goes on.
    """
    number = observer.training(container)
    params = observer.trial(number)["params"]
    seen_at = _seen_at(observer, container)
    observer.project.docker.run("kill", container)
    assert observer.project.ended(container) == 137

    def others() -> list[int]:
        same = [trial for trial in observer.json("trials", STUDY) if trial["params"] == params]
        return [trial["number"] for trial in same if trial["number"] != number and trial["started"]]

    observer.project.wait(lambda: bool(others()), "the killed trial does not go on")
    assert observer.trial(number)["reason"] == "killed"
    again = others()[0]
    began_at = datetime.fromisoformat(observer.trial(again)["attempts"][0]["started_at"])
    assert (began_at - seen_at).total_seconds() >= LEASE_S
    return again


def _seen_at(observer: Observer, container: str) -> datetime:
    host = observer.project.docker.inspect(container)["Config"]["Hostname"]
    seen = [worker["seen_at"] for worker in observer.status()["workers"] if worker["host"] == host]
    return max(datetime.fromisoformat(each) for each in seen)


def _servers_show(trials: list[dict[str, Any]]) -> None:
    """MLflow has a finished run of each complete trial, and the dashboard lists the study."""
    runs = {trial["mlflow_run_id"] for trial in trials if trial["state"] == "COMPLETE"}
    assert len(runs) == TRIALS
    for run in runs:
        shown = json.loads(_page(f"5000/api/2.0/mlflow/runs/get?run_id={run}"))
        assert shown["run"]["info"]["status"] == "FINISHED"
        files = json.loads(_page(f"5000/api/2.0/mlflow/artifacts/list?run_id={run}"))
        assert files["files"]
    assert f'"{STUDY}"'.encode() in _page("8080/api/studies")


def _page(place: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{place}", timeout=60) as answer:
        content: bytes = answer.read()
        return content


def _nothing_shows_a_secret(project: Project) -> None:
    """No password is in what Docker tells of containers, images, networks and volumes, nor in a log."""
    passwords = [path.read_text() for path in (project.folder / "secrets").iterdir()]
    assert len(passwords) == 4
    containers = project.containers()
    told = [project.docker.run("inspect", found) for found in project.left()]
    told += [project.docker.run("inspect", project.docker.inspect(found)["Image"]) for found in containers]
    told += [_log(project.docker, found) for found in containers]
    for password in passwords:
        assert not any(password in text for text in told)


def _log(docker: Docker, container: str) -> str:
    done = docker.call([docker.client, "logs", container], 120)
    return done.stdout + done.stderr
