from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.cli.main import COMMANDS
from tests.cli.conftest import Shell

HEAVY = {"torch", "mlflow", "ultralytics", "optuna", "sqlalchemy", "numpy", "pandas"}


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from hpo.cli.main import cli\n"
        f"cli.main({words!r}, standalone_mode=False)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command(shell: Shell) -> None:
    said = shell.run("--help")
    assert all(command in said for command in COMMANDS)


def test_an_unknown_command_is_an_error_with_exit_code_2(shell: Shell) -> None:
    assert "No such command" in shell.run("rnu", code=2)


def test_without_a_database_reading_says_how_to_make_one(shell: Shell) -> None:
    said = shell.run("trials", code=2)
    assert "hpo run" in said
    assert not shell.home.exists()


def test_the_shell_can_complete(shell: Shell) -> None:
    program = "import os; os.environ['_HPO_COMPLETE'] = 'bash_source'; from hpo.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "complete -o nosort" in done.stdout


@pytest.mark.long
def test_doctor_finds_nothing_in_the_way_of_a_fresh_folder(shell: Shell) -> None:
    said = shell.run("doctor")
    assert "Python" in said
    assert "fail" not in said


@pytest.mark.long
def test_doctor_names_what_is_in_the_way_and_hides_the_password(shell: Shell) -> None:
    shell.variables["HPO_STORAGE"] = "postgresql://hpo:canary@127.0.0.1:9/hpo"
    said = shell.run("doctor", code=1)
    assert "fail" in said
    assert "127.0.0.1:9" in said
    assert "canary" not in said


def test_a_database_that_can_not_be_reached_is_exit_code_4(shell: Shell) -> None:
    shell.variables["HPO_STORAGE"] = "postgresql://hpo:canary@127.0.0.1:9/hpo"
    said = shell.run("status", code=4)
    assert "canary" not in said


def test_a_home_that_can_not_be_written_is_told_in_words(shell: Shell, study: Callable[..., Path]) -> None:
    (shell.folder / "file").touch()
    shell.variables["HPO_HOME"] = str(shell.folder / "file" / "below")
    assert "name another folder in HPO_HOME" in shell.run("doctor", code=1)
    said = shell.run("create", study(), code=4)
    assert "set HPO_HOME to another folder" in said
    assert "Traceback" not in said
