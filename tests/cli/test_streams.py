"""A command that can't print does its work all the same, and says in words what is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

PROGRAM = """
import sys
from hpo.cli import streams
from hpo.cli.console import console
from hpo.cli.terminal import say
streams.guard()
for number in range(3):
    say("x" * 100_000)
    console().print("y" * 100_000)
open({done!r}, "w").write("all of it")
sys.exit(streams.judged(0))
"""


@pytest.mark.parametrize(("to", "code"), [("| true; exit ${PIPESTATUS[0]}", 0), ("> /dev/full", 4), (">&-", 0)])
def test_work_goes_on_for_a_screen_that_is_gone(tmp_path: Path, to: str, code: int) -> None:
    script = tmp_path / "work.py"
    script.write_text(PROGRAM.format(done=str(tmp_path / "done")))
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {script} {to}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert (tmp_path / "done").read_text() == "all of it"
    assert "Traceback" not in done.stderr
    assert ("standard output: No space left" in done.stderr) == (code == 4)


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    program = (
        "from hpo.cli import streams\nstreams.guard()\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w')\nimport sys\nsys.exit(file.fileno() < 3)"
    )
    command = f'{sys.executable} -c "$PROGRAM" <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", command], env={"PROGRAM": program, "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 0


def test_a_working_folder_that_is_gone_is_told_in_words(shell: Shell) -> None:
    shell.folder = shell.folder / "gone"
    shell.folder.mkdir()
    shell.variables |= {"PROGRAM": "import os; os.rmdir(os.getcwd()); from hpo.cli.main import main; main()"}
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "$PROGRAM" status'],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "cd to a folder" in done.stderr) == (2, True), done.stderr


def test_a_home_that_this_locale_can_not_spell_is_told_in_words(shell: Shell) -> None:
    home = str(shell.folder / "h\u00f6me")
    shell.variables |= {"HPO_HOME": home, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert "LC_ALL=C.UTF-8" in shell.run("status", code=2)
    shell.variables |= {"PYTHONUTF8": "1"}
    assert "no study yet" in shell.run("status", code=2)
