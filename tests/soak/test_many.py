"""The short form of ``make many``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.soak.node import ROOT


@pytest.mark.long
def test_workers_hold_two_connections_each_and_give_every_sign_of_life() -> None:
    """It runs in a separate process: a process has only one forkserver, and this one differs from that of trainings."""
    command = [sys.executable, "-m", "tests.soak.many", "--workers", "4", "--seconds", "15"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["epochs"] > 4
