"""Signals to a worker, sent as schedulers, shells and terminals send them."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo.orchestration.stop import Orders, StopRequest
from tests.conftest import ROOT

OBEDIENT = [sys.executable, "-m", "tests.orchestration.obedient"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
def test_two_unattended_signals_within_a_second_are_one_request(second: signal.Signals) -> None:
    stop = StopRequest()
    stop.ask(signal.SIGTERM)
    assert not stop.ask(second)
    assert (stop.soon, stop.now, stop.signal) == (True, False, signal.SIGTERM)


def test_a_second_sigterm_after_a_second_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = StopRequest()
    stop.ask(signal.SIGTERM)
    later = time.monotonic() + 1.01
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert stop.ask(signal.SIGTERM)
    assert stop.now


def test_two_interrupts_are_two_requests_however_quick() -> None:
    stop = StopRequest()
    stop.ask(signal.SIGINT)
    stop.ask(signal.SIGINT)
    assert stop.now


@pytest.mark.parametrize(("signum", "limited"), [(signal.SIGTERM, True), (signal.SIGHUP, True), (signal.SIGINT, False)])
def test_only_a_signal_that_nobody_need_have_sent_sets_a_time_limit(signum: signal.Signals, limited: bool) -> None:
    stop = StopRequest()
    stop.ask(signum)
    assert Orders(stop, lambda: False, grace_s=-1.0).now is limited


def test_gnu_timeout_asks_once(tmp_path: Path) -> None:
    """It sends SIGTERM to the command, and then to the group that both are in."""
    timeout = shutil.which("timeout")
    if timeout is None:
        pytest.skip("no GNU timeout on this machine")
    said = tmp_path / "said"
    command = [timeout, "600", *OBEDIENT, str(said)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ready")
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert said.read_text() == "1 143"


def test_a_terminal_that_closes_asks_to_stop_and_breaks_nothing(tmp_path: Path) -> None:
    said = tmp_path / "said"
    pid, terminal = pty.fork()
    if pid == 0:  # the leader of the terminal's session, as a shell would be
        os.chdir(ROOT)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may run under nohup
        os.execv(OBEDIENT[0], [*OBEDIENT, str(said)])  # noqa: S606
    line = b""
    while not line.endswith(b"\n"):  # a terminal writes a line's end by itself
        line += os.read(terminal, 100)
    assert line.startswith(b"ready")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert said.read_text() == "1 129"


def test_under_nohup_a_hangup_is_ignored(tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = ["nohup", *OBEDIENT, str(said)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready nohup\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert said.read_text() == "1 143"
