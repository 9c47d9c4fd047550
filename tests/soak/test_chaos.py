"""The short form of ``make soak``: everything is real except most trainings; it runs wherever the suite runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.node import ROOT

PLAN = {"workers": 4, "real": 1, "deaths": 6, "restarts": 2, "last": 8, "limit-s": 800, "enqueued": 0.3}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sqlite", [0, 1], ids=["postgres", "sqlite"])
def test_a_study_under_attack_ends_exactly_on_its_budget(sqlite: int, tmp_path: Path) -> None:
    """Trials that somebody enqueues meanwhile with Optuna's own call are part of the budget.

    It runs in a separate process: a process has only one forkserver, and this one differs from that of trainings.
    """
    words = [word for name, value in {**PLAN, "sqlite": sqlite}.items() for word in (f"--{name}", str(value))]
    with (tmp_path / "said").open("w+") as said:
        code = subprocess.run(
            [sys.executable, "-m", "tests.soak.chaos", *words],
            cwd=ROOT,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
        said.seek(0)
        told = said.read()
    assert code == 0, told[-20_000:]
    found = json.loads(told[told.index("{\n") : told.rindex("}") + 1])
    assert found["killed"] >= PLAN["deaths"]
    assert found["restart"] >= PLAN["restarts"]
    assert found["YOLO trials"] > 0
    assert found["enqueued"] > 0
