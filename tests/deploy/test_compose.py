"""The compose file: docker-compose accepts it, every service is hardened, and it works natively."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hpo.cli.main import COMMANDS
from hpo.head.postgres import OWNER, Cluster, Listening, programs
from tests.cli.conftest import STUDY
from tests.conftest import ROOT, SMALLEST_MODEL
from tests.deploy.compose import FILE, WITHOUT_GPU, Native, loaded, order, services
from tests.head.conftest import free_port

DOCKER_COMPOSE = shutil.which("docker-compose")
BUILT_HERE = {"hpo-head", "hpo-worker"}
PINNED = ("Dockerfile", "docker-compose.yml", "docker-compose.cpu.yml")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "secrets"
    subprocess.run([ROOT / "deploy" / "make-secrets", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("file", [FILE, WITHOUT_GPU], ids=lambda file: file.name)
def test_docker_compose_accepts_the_file(secrets: Path, file: Path) -> None:
    if DOCKER_COMPOSE is None:
        pytest.skip("no docker-compose on this machine: apt-get install docker-compose")
    command = [DOCKER_COMPOSE, "-f", str(file), "config"]
    environment = {**os.environ, "HPO_SECRETS": str(secrets), "HPO_STUDY": "digits"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in services({}):
        assert f"  {name}:\n" in done.stdout
    assert "- digits" in done.stdout
    assert bool(re.search(r"capabilities:\s+- gpu", done.stdout)) == (file == FILE)


def test_the_file_without_a_gpu_differs_from_the_other_in_the_worker_s_device_memory_and_build_alone() -> None:
    """The file is whole because older releases of `docker compose` can't take a reservation back: change both files."""
    whole, other = loaded({}, FILE), loaded({}, WITHOUT_GPU)
    worker = whole["services"]["worker"]
    del worker["deploy"]
    assert worker.pop("shm_size") == "8gb"
    assert other["services"]["worker"].pop("shm_size") == "1gb"
    assert other["services"]["worker"]["build"].pop("args") == {"TORCH": "locked"}
    assert other == whole


def test_every_service_is_hardened_and_none_is_open_to_the_network() -> None:
    for name, service in services({}).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert str(service["user"]).partition(":")[0] not in ("0", "root"), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"
        assert "password" not in " ".join(map(str, service["command"])).lower(), name
        image, _, tag = service["image"].partition(":")
        assert re.fullmatch(r"\d+\.\d+[\w.@:-]*", tag), f"{name}: {image} without a pinned tag"
    assert int(services({})["worker"]["stop_grace_period"].removesuffix("s")) > 120


def test_workers_come_after_the_tables_and_mlflow() -> None:
    found = order(services({}))
    assert found[0] == "postgres"
    assert found.index("migrate") < found.index("mlflow") < found.index("worker")


def test_secrets_are_made_once_and_closed_to_others(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    assert set(before) == {f"{role}_password" for role in ("owner", "worker", "reader", "mlflow")}
    assert all(re.fullmatch("[A-Za-z0-9]{32}", password) for password in before.values())
    assert len(set(before.values())) == 4
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    subprocess.run([ROOT / "deploy" / "make-secrets", secrets], check=True)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before


def test_pinning_writes_the_digest_of_every_tag_and_again_the_newer_one(tmp_path: Path) -> None:
    """Tests can't reach the registry: ``docker`` is a script that answers as buildx does."""
    for name in PINNED:
        shutil.copy(ROOT / name, tmp_path / name)
    for digit in ("a", "b"):
        done, texts = _pin(tmp_path, f'[ "$1 $2 $3" = "buildx imagetools inspect" ] && echo sha256:{digit * 64}')
        assert done.returncode == 0
        assert [text.count(f"@sha256:{digit * 64}") for text in texts] == [2, 1, 1]
        assert [text.count("@sha256:") for text in texts] == [2, 1, 1]
    before = [(tmp_path / name).read_text() for name in PINNED]
    failed, after = _pin(tmp_path, "echo no such tag >&2; exit 1")
    assert failed.returncode == 1
    assert "no such tag" in failed.stderr
    assert after == before


def _pin(folder: Path, docker: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    script = folder / "docker"
    script.write_text(f"#!/bin/sh\n{docker}\n")
    script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = [str(ROOT / "deploy" / "pin-images"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done, [(folder / name).read_text() for name in PINNED]


def test_the_images_run_the_entrypoint_that_reads_mounted_secrets(tmp_path: Path) -> None:
    assert 'ENTRYPOINT ["entrypoint.sh"]' in (ROOT / "Dockerfile").read_text()
    secret = tmp_path / "secret"
    secret.write_text("pass word$x\n")
    command = [str(ROOT / "deploy" / "entrypoint.sh"), "sh", "-c", 'echo "$PGPASSWORD ${PGPASSWORD_FILE-none}"']
    done = subprocess.run(command, env={"PGPASSWORD_FILE": str(secret)}, capture_output=True, text=True, check=True)
    assert done.stdout == "pass word$x none\n"


@pytest.mark.long
def test_the_services_run_a_study_natively(tiny: Path, tmp_path: Path, secrets: Path, open_folder: Path) -> None:
    for name in ("artifacts", "runs", "data", "studies", "tmp"):
        (tmp_path / name).mkdir()
    text = STUDY.format(name="composed", data=tiny, model=SMALLEST_MODEL, more="").replace("trials: 4", "trials: 2")
    (tmp_path / "studies" / "composed.yaml").write_text(text)
    native = Native(tmp_path, {f"{at}": free_port() for at in ("postgres:5432", "mlflow:5000", "dashboard:8080")})
    found = services({"HPO_STUDY": "composed"})
    with _postgres(native, found["postgres"], open_folder):
        assert "made the tables" in native.run("migrate", found["migrate"])
        assert "up to date" in native.run("migrate", found["migrate"])  # `docker compose up` runs it each time
        with native.started("mlflow", found["mlflow"]), native.started("dashboard", found["dashboard"]):
            for name in ("mlflow", "dashboard"):
                _wait(partial(native.healthcheck, name, found[name]), tmp_path / f"{name}.log")
            _work(native, found["worker"])
            trials = native.run("worker", found["worker"], ["hpo", "trials", "composed", "--json"])
            assert trials.count('"state": "COMPLETE"') == 2
            shown = urllib.request.urlopen(f"http://127.0.0.1:{native.ports['dashboard:8080']}/api/studies", timeout=30)
            assert b'"composed"' in shown.read()
    assert len(list((tmp_path / "artifacts").rglob("best.pt"))) == 2
    for path in secrets.iterdir():
        for log in tmp_path.glob("*.log"):
            assert path.read_text() not in log.read_text(errors="replace")


def _work(native: Native, worker: dict[str, Any]) -> None:
    """Work on a study as the comment at the top of docker-compose.yml says; `hpo run` takes the place of `hpo worker`
    until that exists.
    """
    file = "/studies/composed.yaml"
    if "worker" in COMMANDS:
        native.run("worker", worker, ["hpo", "create", file])
        native.run("worker", worker, [*worker["command"], "--gpus", "cpu"])
    else:
        native.run("worker", worker, ["hpo", "run", file])


@contextmanager
def _postgres(native: Native, service: dict[str, Any], folder: Path) -> Iterator[None]:
    """Do the work of the image's entrypoint: a cluster with POSTGRES_USER and its password, POSTGRES_DB, the
    command.
    """
    environment = native.environment(service)
    assert environment["POSTGRES_USER"] == OWNER
    password = Path(environment["POSTGRES_PASSWORD_FILE"]).read_text()
    cluster = Cluster(folder / "composed", folder / "composed.log")
    cluster.make(password)
    at = Listening("127.0.0.1", native.ports["postgres:5432"])
    with cluster.serving(at, options=tuple(service["command"][1:])):
        place = ["-h", "127.0.0.1", "-p", str(at.port), "-U", OWNER, "-d", "postgres"]
        command = [str(programs() / "psql"), *place, "-c", f"CREATE DATABASE {environment['POSTGRES_DB']}"]
        subprocess.run(command, env={"PGPASSWORD": password}, check=True, capture_output=True)
        yield


def _wait(ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 180
    while not ready():
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.5)
