"""``hpo up`` as a user runs it: in a separate process; a study uses its env file; it is ended and started again."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hpo.settings import read_env_file
from hpo.urls import password_in
from tests.cli.conftest import STUDY, Shell
from tests.conftest import SMALLEST_MODEL
from tests.head.conftest import free_port

pytestmark = pytest.mark.long
WORK = ("run",)
"""Command that makes a study and works on it; ``hpo worker`` joins one (tests/deploy)."""


class Head:
    """A served folder, with ports that stay the same."""

    def __init__(self, folder: Path, shell: Shell) -> None:
        self.folder, self.shell = folder, shell
        self.ports = ("--postgres-port", str(free_port()), "--mlflow-port", str(free_port()))

    @property
    def worker_env(self) -> Path:
        return self.folder / "worker.env"

    @property
    def owner_env(self) -> Path:
        return self.folder / "owner.env"

    def start(self, *more: str) -> subprocess.Popen[str]:
        return self.shell.run_until("owner ", "up", "--folder", self.folder, *self.ports, *more)

    @contextmanager
    def up(self, *more: str, end: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen[str]]:
        process = self.start(*more)
        try:
            yield process
        finally:
            children = psutil.Process(process.pid).children(recursive=True)
            code = self.shell.end(process, end)
        assert code == 0
        assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.fixture(scope="module")
def head(open_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Head:
    return Head(open_folder / "head", Shell(tmp_path_factory.mktemp("node")))


@pytest.fixture(scope="module")
def study_file(tiny: Path, head: Head) -> Path:
    return study(head.shell.folder, "small", tiny)


def test_a_study_runs_through_the_env_file_and_is_there_after_a_restart(head: Head, study_file: Path) -> None:
    with head.up(end=signal.SIGINT):
        for file in (head.worker_env, head.owner_env, *(head.folder / "secrets").iterdir()):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        head.shell.run(*WORK, study_file, "--env-file", head.worker_env)
        before = head.shell.json("trials", "small", "--env-file", head.worker_env)
        assert [trial["state"] for trial in before] == ["COMPLETE"] * 2
        synced = head.shell.json("sync", "small", "--env-file", head.worker_env)
        assert (synced["runs"], synced["created"], synced["unchanged"]) == (2, 0, 2)
        uri = read_env_file(head.worker_env)["MLFLOW_TRACKING_URI"]
        assert status(uri, {}) == 200
        assert status(uri, {"Host": "evil.example"}) == 403
        weights = list((head.folder / "mlartifacts").rglob("best.pt"))
        assert len(weights) == 2
        assert "may not do that" in head.shell.run("delete", "small", "--yes", "--env-file", head.worker_env, code=2)
    passwords = {password_in(read_env_file(file)["HPO_STORAGE"]) for file in (head.worker_env, head.owner_env)}
    with head.up("--upgrade"):  # nothing is older, but MLflow's store is backed up anyway
        assert [path.name.split("-")[0] for path in (head.folder / "backups").iterdir()] == ["mlflow"]
        again = {password_in(read_env_file(file)["HPO_STORAGE"]) for file in (head.worker_env, head.owner_env)}
        assert again == passwords
        assert head.shell.json("trials", "small", "--env-file", head.worker_env) == before
        assert head.shell.json("sync", "small", "--env-file", head.worker_env)["unchanged"] == 2
        assert "up to date" in head.shell.run("db", "upgrade", "--env-file", head.owner_env)
    for log in head.folder.glob("*.log"):
        assert not any(str(password) in log.read_text(errors="replace") for password in passwords)


def test_a_second_up_on_the_folder_and_a_port_that_is_taken_are_errors(head: Head, open_folder: Path) -> None:
    with head.up():
        assert "end it first" in head.shell.run("up", "--folder", head.folder, code=3)
        said = head.shell.run("up", "--folder", open_folder / "other", *head.ports, code=2)
        assert "--mlflow-port" in said


def test_killed_it_leaves_no_server_and_starts_again_with_its_data(head: Head) -> None:
    process = head.start()
    children = psutil.Process(process.pid).children(recursive=True)
    postgres = [child for child in children if child.name() == "postgres"]
    assert postgres
    head.shell.end(process, signal.SIGKILL)
    assert psutil.wait_procs(postgres, timeout=20)[1] == []
    with head.up():
        assert psutil.wait_procs(children, timeout=1)[1] == []
        head.shell.run("db", "init", "--env-file", head.owner_env)


def test_a_server_that_dies_ends_the_other_with_its_log(head: Head) -> None:
    process = head.start()
    children = psutil.Process(process.pid).children(recursive=True)
    server = next(child for child in children if child.name() == "postgres" and child.ppid() == process.pid)
    os.kill(server.pid, signal.SIGQUIT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "PostgreSQL ended by itself" in said
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_a_study_goes_on_on_a_fresh_server_from_a_backup(head: Head, tiny: Path, open_folder: Path) -> None:
    path = study(head.shell.folder, "kept", tiny)
    backups = open_folder / "backups"
    with head.up():
        head.shell.end(head.shell.run_until("complete", *WORK, path, "--env-file", head.worker_env), signal.SIGINT)
        first = head.shell.json("trials", "kept", "--env-file", head.worker_env)[0]
        assert head.shell.json("status", "kept", "--env-file", head.worker_env)["budget"]["counted"] == 1
        file = head.shell.run("db", "backup", backups, "--env-file", head.owner_env).split()[-1]
        assert "already holds studies" in head.shell.run("db", "restore", file, "--env-file", head.owner_env, code=2)
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    fresh = Head(open_folder / "fresh", head.shell)
    with fresh.up():
        fresh.shell.run("db", "restore", file, "--env-file", fresh.owner_env)
        fresh.shell.run(*WORK, path, "--env-file", fresh.worker_env)
        trials = fresh.shell.json("trials", "kept", "--env-file", fresh.worker_env)
        assert [trial["state"] for trial in trials] == ["COMPLETE"] * 2
        changed = {"mlflow_run_id"}  # MLflow's store is new, and was written from the database
        assert {k: v for k, v in trials[0].items() if k not in changed} == {
            k: v for k, v in first.items() if k not in changed
        }
        synced = fresh.shell.json("sync", "kept", "--env-file", fresh.worker_env)
        assert (synced["runs"], synced["duplicates_deleted"]) == (2, 0)


def study(folder: Path, name: str, data: Path) -> Path:
    """Return a study file of two trials."""
    path = folder / f"{name}.yaml"
    path.write_text(STUDY.format(name=name, data=data, model=SMALLEST_MODEL, more="").replace("trials: 4", "trials: 2"))
    return path


def status(uri: str, headers: dict[str, str]) -> int:
    request = urllib.request.Request(f"{uri}/api/2.0/mlflow/experiments/get?experiment_id=0", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
