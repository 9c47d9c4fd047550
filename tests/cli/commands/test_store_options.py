"""``--env-file``, ``--storage`` and secrets in files, as a user gives them; no output contains a password."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

CANARY = "sesame-canary"
DOWN = f"postgresql://hpo:{CANARY}@127.0.0.1:9/hpo"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / "node.env"
    path.write_text(f"HPO_STORAGE=sqlite:///{tmp_path}/elsewhere/hpo.db\nHPO_HOME={tmp_path}/elsewhere\n")
    path.chmod(0o600)
    return path


def test_an_env_file_names_the_stores_of_any_command(shell: Shell, env_file: Path, tmp_path: Path) -> None:
    shell.variables["HPO_STORAGE"] = DOWN
    assert "made the tables" in shell.run("db", "init", "--env-file", env_file)
    assert (tmp_path / "elsewhere" / "hpo.db").exists()
    assert "up to date" in shell.run("db", "init", "--env-file", env_file)
    for command in ("status", "trials", "best", "sync", "delete"):
        assert "holds 0" in shell.run(command, "--env-file", env_file, code=2)


def test_storage_wins_over_an_env_file_in_whatever_order(shell: Shell, env_file: Path, tmp_path: Path) -> None:
    storage = ("--storage", f"sqlite:///{tmp_path}/third.db")
    shell.run("db", "init", *storage, "--env-file", env_file)
    shell.run("db", "init", "--env-file", env_file, *storage)
    assert (tmp_path / "third.db").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_an_env_file_that_others_can_read_is_refused(shell: Shell, env_file: Path) -> None:
    env_file.chmod(0o644)
    assert "chmod 600" in shell.run("status", "--env-file", env_file, code=2)


def test_a_password_as_an_argument_is_refused_with_the_way_out(shell: Shell) -> None:
    said = shell.run("status", "--storage", DOWN, code=2)
    assert "--env-file" in said
    assert "pgpass" in said
    assert CANARY not in said


@pytest.mark.parametrize("name", ["password", "sslpassword"])
def test_a_password_in_a_query_is_refused_as_an_argument_and_never_printed(shell: Shell, name: str) -> None:
    url = f"postgresql://hpo@127.0.0.1:9/hpo?{name}={CANARY}"
    assert "--env-file" in (said := shell.run("trials", "--storage", url, code=2))
    shell.variables["HPO_STORAGE"] = url
    assert CANARY not in said + shell.run("trials", code=4)


DOCTOR = pytest.param([("doctor",)], marks=pytest.mark.long)  # it imports torch


@pytest.mark.parametrize("commands", [[("status",), ("--debug", "status"), ("--debug", "db", "init")], DOCTOR])
@pytest.mark.parametrize(
    "way", ["variable", *(pytest.param(way, marks=pytest.mark.long) for way in ("file", "env-file")), "mlflow"]
)
def test_a_password_is_never_printed(shell: Shell, tmp_path: Path, way: str, commands: list[tuple[str, ...]]) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"HPO_STORAGE={DOWN}\n" if way == "env-file" else CANARY)
    secret.chmod(0o600)
    if way == "variable":
        shell.variables["HPO_STORAGE"] = DOWN
    elif way == "mlflow":
        shell.variables |= {"HPO_STORAGE": DOWN, "MLFLOW_TRACKING_URI": f"http://me:{CANARY}2@127.0.0.1:9"}
    elif way == "file":
        url = DOWN.replace(f":{CANARY}", "")
        shell.variables |= {"HPO_STORAGE": url, "HPO_STORAGE_PASSWORD_FILE": str(secret)}
    more = ("--env-file", str(secret)) if way == "env-file" else ()
    with ThreadPoolExecutor() as pool:  # each waits for the server for some seconds
        running = [pool.submit(shell.run, *words, *more, code=1 if words == ("doctor",) else 4) for words in commands]
    for words, ran in zip(commands, running, strict=True):
        said = ran.result()
        assert "127.0.0.1" in said
        assert CANARY not in said
        assert ("Traceback" in said) == ("--debug" in words)


def test_an_argument_that_does_not_belong_is_quoted_without_its_password(shell: Shell) -> None:
    said = shell.run("status", "digits", DOWN, code=2)
    assert "postgresql://hpo:***@127.0.0.1:9/hpo" in said
    assert CANARY not in said


def test_upgrade_of_nothing_names_init(shell: Shell) -> None:
    assert "hpo db init" in shell.run("db", "upgrade", code=2)
    assert not shell.home.exists()


def test_roles_on_sqlite_are_an_error(shell: Shell) -> None:
    shell.variables["HPO_WORKER_PASSWORD"] = CANARY
    said = shell.run("db", "init", "--worker-role", "hpo_worker", code=2)
    assert "SQLite has no roles" in said
