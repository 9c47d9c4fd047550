from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import environment
from hpo.trial.messages import Ended, Progress
from hpo.trial.vocabulary import Reason
from tests.conftest import ROOT, Talk
from tests.launchers import entries


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> ForkserverLauncher:
    home = tmp_path_factory.mktemp("home")
    return ForkserverLauncher(
        entries.misbehave, "hpo.training.ultralytics_internals.preload", environment.prepare(home)
    )


@pytest.mark.parametrize(("how", "code"), [("exit", 3), ("killed", -9), ("segfault", -11), ("nothing", 0)])
def test_the_end_of_a_process_is_seen_with_its_exit_code(
    misbehaving: ForkserverLauncher, request_for: Any, how: str, code: int
) -> None:
    talk = Talk(misbehaving.start(request_for(study=how)))
    assert talk.messages == [Progress("train", 1, 0.5)]
    assert talk.exit_code == code


def test_each_of_two_launchers_has_its_own_preload(tmp_path: Path) -> None:
    """A process has only one forkserver, and another launcher may have started it."""
    one, other = (
        ForkserverLauncher(entries.imported, name, environment.prepare(tmp_path)) for name in ("wave", "colorsys")
    )
    for launcher, own, foreign in ((one, "wave", "colorsys"), (other, "colorsys", "wave"), (one, "wave", "colorsys")):
        assert launcher.call(entries.imported, own, 60) == "True"
        assert launcher.call(entries.imported, foreign, 60) == "False"


def test_a_killed_process_is_gone(misbehaving: ForkserverLauncher, request_for: Any) -> None:
    process = misbehaving.start(request_for(study="silent"))
    assert process.receive(60) is not None
    assert process.receive(0.05) is None
    process.kill()
    assert not psutil.pid_exists(process.pid)
    process.kill()  # and again: harmless


def test_a_child_is_deaf_to_ctrl_c(misbehaving: ForkserverLauncher, request_for: Any) -> None:
    talk = Talk(misbehaving.start(request_for(study="deaf")))
    assert len(talk.messages) == 2


@pytest.mark.long
def test_no_process_below_a_worker_gets_the_signals_that_end_a_job(misbehaving: ForkserverLauncher) -> None:
    """A scheduler sends SIGTERM to each of them, a terminal that closes SIGHUP: only the worker obeys."""
    process = misbehaving._spawn(entries.with_loader_workers, "{}")
    training = {int(pid) for pid in process.receive_text(120).split()}
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    family = [server, *(child.pid for child in psutil.Process(server).children(recursive=True))]
    assert training < set(family)
    for pid in training | {server}:
        blocked = re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        assert blocked is not None
        for signum in (signal.SIGTERM, signal.SIGHUP):
            assert int(blocked[1], 16) >> (signum - 1) & 1, f"{pid} gets {signum.name}"
            os.kill(pid, signum)
    assert process.receive(0.2) is None, "it trains on"
    process.kill()


def test_a_dead_forkserver_is_started_anew(misbehaving: ForkserverLauncher, request_for: Any) -> None:
    before = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(before, signal.SIGKILL)
    _wait_until(lambda: psutil.Process(before).status() == psutil.STATUS_ZOMBIE)
    talk = Talk(misbehaving.start(request_for(study="nothing")))
    assert talk.messages == [Progress("train", 1, 0.5)]
    assert forkserver._forkserver._forkserver_pid != before  # type: ignore[attr-defined]


def test_a_training_outlives_its_forkserver(launcher: ForkserverLauncher, request_for: Any) -> None:
    process = launcher.start(request_for(train={"epochs": 1, "close_mosaic": 0}))
    assert process.receive(60) is not None
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
    ended = next(message for message in Talk(process).messages if isinstance(message, Ended))
    assert ended.reason is Reason.COMPLETE


@pytest.mark.long
def test_the_preload_imports_what_is_slow_and_touches_no_gpu(misbehaving: ForkserverLauncher) -> None:
    answer = misbehaving.call(entries.devices_of_the_preload, "", 60)
    assert answer == "False torch._inductor ultralytics"


def test_a_worker_that_ends_at_once_does_not_wait_for_its_forkserver(tmp_path: Path) -> None:
    """The preload never ends here; the pipe ends when no process holds it any more."""
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(3600)\n")
    program = "from hpo.launchers.forkserver import ForkserverLauncher as L; L(print, 'endless', {})"
    command, path = [sys.executable, "-c", program], f"{tmp_path}:{ROOT}"
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""


@pytest.mark.long
def test_nothing_is_left_two_seconds_after_the_worker_was_killed(tmp_path: Path) -> None:
    """Child, its loader's workers and the forkserver: a parent-death signal would reach none of them."""
    command = [sys.executable, "-m", "tests.launchers.worker_to_kill", str(tmp_path)]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    family = [int(pid) for pid in worker.stdout.readline().split()]
    assert len(family) == 3
    family += [child.pid for child in psutil.Process(worker.pid).children(recursive=True)]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    _wait_until(lambda: not any(_runs(pid) for pid in family), limit_s=2.0)


def _runs(pid: int) -> bool:
    """A zombie is not alive: process 1 may be slow to collect it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_until(holds: Any, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.02)
