"""``everything``: MLflow is rebuilt from the database, whatever has happened to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from hpo.settings import Settings
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import UUID, Rows, make_rows, runs_by_key, settings_in, shown, store

Make = Callable[[Rows], Projector]
REASONS = [Reason.COMPLETE, Reason.PRUNED, Reason.CRASH, Reason.COMPLETE, None]
KEYS = {f"{UUID}/{name}": 1 for name in (*range(len(REASONS)), "study")}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def rows() -> Rows:
    return make_rows(list(REASONS))


def test_a_deleted_store_is_rebuilt_as_it_was(
    rows: Rows, projector: Make, settings: Settings, other_settings: Settings
) -> None:
    live = projector(rows)
    for number in range(len(REASONS)):
        live.trial(number)
    live.study()
    done = Projector(other_settings, rows.study, rows).everything()
    assert shown(other_settings) == shown(settings)
    assert runs_by_key(other_settings) == KEYS
    assert (done.runs, done.created, done.updated, done.unchanged) == (5, 5, 0, 0)


def test_a_second_sync_changes_nothing(rows: Rows, projector: Make, settings: Settings) -> None:
    projector(rows).everything()
    before = shown(settings)
    done = projector(rows).everything()
    assert shown(settings) == before
    assert (done.created, done.duplicates_deleted) == (0, 0)
    assert done.unchanged == 4
    assert runs_by_key(settings) == KEYS


def test_half_written_runs_are_completed(rows: Rows, projector: Make, settings: Settings) -> None:
    projector(rows).everything()
    before = shown(settings)
    with closing(sqlite3.connect(store(settings))) as connection, connection:
        connection.execute("DELETE FROM tags WHERE key = 'hpo.projected' OR key = 'reason'")
        connection.execute("DELETE FROM params WHERE key < 'lr0'")
        connection.execute("DELETE FROM metrics WHERE step % 2 = 0")
        connection.execute("DELETE FROM latest_metrics")
        connection.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL")
    assert shown(settings) != before
    projector(rows).everything()
    assert shown(settings) == before


def test_a_run_left_running_is_ended(rows: Rows, projector: Make, settings: Settings) -> None:
    projector(rows).everything()
    before = shown(settings)
    MlflowClient(settings.tracking_uri).update_run(rows.by_number[1].mlflow_run_id, status="RUNNING")
    projector(rows).everything()
    assert shown(settings) == before


def test_of_several_runs_of_a_trial_the_oldest_stays(rows: Rows, projector: Make, settings: Settings) -> None:
    projector(rows).everything()
    before = shown(settings)
    client = MlflowClient(settings.tracking_uri)
    for key in (f"{UUID}/1", f"{UUID}/1", f"{UUID}/study"):
        client.create_run(rows.experiment_id, tags={"hpo.trial": key})
    assert projector(rows).everything().duplicates_deleted == 3
    assert shown(settings) == before
    assert runs_by_key(settings) == KEYS


def test_the_stored_run_ids_follow(rows: Rows, projector: Make, settings: Settings) -> None:
    for number in rows.by_number:
        rows.by_number[number] = replace(rows.by_number[number], mlflow_run_id="of a store that is gone")
    rows.study = replace(rows.study, mlflow_experiment_id="77")
    projector(rows).everything()
    client = MlflowClient(settings.tracking_uri)
    for number, row in rows.by_number.items():
        assert client.get_run(row.mlflow_run_id).data.tags["hpo.trial"] == f"{UUID}/{number}"
    assert client.get_experiment(rows.experiment_id).name == "digits"


@pytest.mark.parametrize("done", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_projection_killed_in_the_middle_is_completed_without_duplicates(
    done: int, projector: Make, settings: Settings, other_settings: Settings
) -> None:
    command = [sys.executable, "-m", "tests.tracking.project_all", str(settings.home), "40"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(done):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(runs_by_key(settings)) < 40
    rows = make_rows([Reason.COMPLETE] * 6, epochs=30)
    projector(rows).everything()
    Projector(other_settings, rows.study, rows).everything()
    assert {key: shown(settings)[key] for key in shown(other_settings)} == shown(other_settings)
    assert set(runs_by_key(settings).values()) == {1}


@pytest.mark.long
def test_two_processes_that_make_the_same_store_at_once_both_succeed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.tracking.project_all", str(tmp_path), "2"]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    rows = make_rows([Reason.COMPLETE] * 2, epochs=30)
    Projector(settings_in(tmp_path), rows.study, rows).everything()
    assert runs_by_key(settings_in(tmp_path)) == {f"{UUID}/{name}": 1 for name in (0, 1, "study")}
