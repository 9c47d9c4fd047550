"""A child ends with its parent, at whatever moment the parent dies."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpo import processes
from tests.conftest import ROOT

_PARENT = """
import signal, subprocess, sys
from hpo.processes import end_with_parent
child = "import time; print('alive', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child], preexec_fn=end_with_parent(signal.SIGTERM)).wait()
"""

_LATE = """
import os, signal, time
from hpo.processes import end_with_parent
parent = os.getpid()
tie = end_with_parent(signal.SIGTERM)
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.01)
    print("orphaned", flush=True)
    tie()
    print("survived", flush=True)
"""


def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as said:
        assert said.readline() == "alive\n"
        parent.kill()
        assert said.read() == "", "the end of the stream is the end of the child, which holds it too"
    parent.wait()


def test_a_child_whose_parent_died_before_the_guard_was_set_ends_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", _LATE], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "orphaned\n"


def test_where_the_system_knows_no_such_signal_the_child_starts_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_prctl", lambda: None)
    tie = processes.end_with_parent(signal.SIGTERM)
    assert subprocess.run([sys.executable, "-c", ""], preexec_fn=tie, check=False).returncode == 0


def test_a_command_imports_nothing_from_the_folder_that_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('code of the folder ran')")
    done = subprocess.run([*processes.python_command("json.tool"), "--help"], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_every_python_that_is_started_leaves_the_working_folder_alone() -> None:
    started = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "hpo").rglob("*.py")
        if "sys.executable" in file.read_text(encoding="utf-8")
    }
    assert started == {"hpo/processes.py"}


@pytest.mark.parametrize("words", [("--env-file", "/secret/ä.env"), ("--env-file=/secret/ä.env",)])
def test_the_value_of_an_option_leaves_the_command_line(words: tuple[str, ...]) -> None:
    said = (
        "import sys; from pathlib import Path; from hpo.processes import hide_values_of; hide_values_of('--env-file');"
        "print(Path('/proc/self/cmdline').read_bytes().split(bytes(1))[3:-1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", said, "worker", *words, "last"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "secret" not in shown
    assert shown.count("worker") == shown.count("last") == shown.count("--env-file") == 2
    assert shown.count("*") == 2 * len("/secret/ä.env".encode())
