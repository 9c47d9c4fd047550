"""The short form of ``make soak``."""

from __future__ import annotations

from tests.soak.chaos import Plan, soak


def test_workers_and_servers_that_die_and_stall_keep_the_budget_exact() -> None:
    done = soak(Plan(workers=4, trials=24, deaths=8, restarts=1))
    assert done["counted"] == 24
    assert done["restart"] == 1
    assert done.get("SIGKILL", 0) + done.get("SIGSTOP", 0) + done.get("cut", 0) == 8
