"""Signals that reach every process of a job at once, as Slurm, Ray and systemd send them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import HPO, LONGEST_S, Shell

Study = Callable[..., Path]
TIMES = 5
WORKERS = {"none": HPO, "two": [sys.executable, "-m", "tests.cli.with_loader_processes"]}
"""The command, by the processes that load a trial's images."""


@pytest.mark.long
@pytest.mark.parametrize("loaders", WORKERS)
def test_sigterm_to_a_whole_job_gives_the_trial_back_each_time(shell: Shell, study: Study, loaders: str) -> None:
    shell.run("create", study(), "budget.trials=1", "train.epochs=200", "train.close_mosaic=0")
    for attempt in range(1, TIMES + 1):
        job = in_mid_epoch(shell, [*WORKERS[loaders], "worker", "small", "--gpus", "cpu"], attempt)
        family = psutil.Process(job.pid).children(recursive=True)
        assert len(family) >= {"none": 3, "two": 5}[loaders]  # the forkserver, its tracker, the training, its loaders
        if attempt % 2:
            os.killpg(job.pid, signal.SIGTERM)
        else:
            for pid in (job.pid, *(process.pid for process in family)):
                os.kill(pid, signal.SIGTERM)
        job.communicate(timeout=LONGEST_S)
        assert job.returncode == 128 + signal.SIGTERM
        assert psutil.wait_procs(family, timeout=30)[1] == []
        [trial] = shell.json("trials")
        assert (trial["state"], trial["reason"]) == ("WAITING", None)
    attempts = shell.json("trial", "0")["attempts"]
    assert [attempt["reason"] for attempt in attempts] == ["given_back"] * TIMES
    resumed = [attempt["resumed_from"] for attempt in attempts]
    assert resumed == sorted(set(resumed)), "each time it had come further"


def in_mid_epoch(shell: Shell, command: list[str], attempt: int) -> subprocess.Popen[str]:
    """Return a worker that leads a process group, in an epoch after the first one of ``attempt``."""
    job = subprocess.Popen(
        command,
        cwd=shell.folder,
        env=shell.environment,
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with closing(sqlite3.connect(shell.home / "hpo.db")) as store:
        while not store.execute("select 1 from hpo_epochs where attempt = ?", (attempt,)).fetchall():
            assert job.poll() is None, job.communicate()
            time.sleep(0.1)
    return job
