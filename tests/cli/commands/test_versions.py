"""A machine with other versions than the study's: it reads everything, and trains only where that is allowed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.cli.conftest import Done, Shell


def made_with(shell: Shell, package: str, version: str) -> None:
    """Make the stored study one that was made with another version of ``package``."""
    with closing(sqlite3.connect(shell.home / "hpo.db")) as store, store:
        sql = "update hpo_studies set facts = json_set(facts, ?, ?)"
        store.execute(sql, (f"$.versions.{package}", version))


@pytest.mark.long
def test_other_versions_are_refused_before_training_and_never_for_reading(done: Done) -> None:
    made_with(done.shell, "ultralytics", "8.3.9")
    done.shell.run("update", "small", "budget.trials=5")
    for command in (("run", done.file, "budget.trials=5"), ("worker", "small")):
        said = done.shell.run(*command, code=3)
        assert "8.3.9" in said
        assert "--allow-versions" in said
    assert len(done.shell.json("trials")) == 4
    done.shell.run("report", "small", "--output", "small.md")
    text = (done.shell.folder / "small.md").read_text()
    assert "Trials were also trained with ultralytics" in text


@pytest.mark.long
def test_allowed_versions_reach_the_workers_that_a_run_starts(done: Done) -> None:
    made_with(done.shell, "hpo", "9.9.9")
    done.shell.run("update", "small", "budget.trials=6")
    done.shell.run("run", done.file, "budget.trials=6", "--workers", "2", "--allow-versions")
    assert len(done.shell.json("trials")) == 6
    log = next((done.shell.home / "studies" / "small" / "workers").glob("*.log")).read_text()
    assert "small: finished, 6 of 6 trials" in log
    assert "hpo" in done.shell.json("trial", "5")["attempts"][0]["effective"]
