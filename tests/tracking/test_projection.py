"""Trials in a real MLflow store."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.tracking import MlflowClient
from typing_extensions import override

from hpo.errors import StorageUnavailable
from hpo.settings import Settings
from hpo.study.records import EpochRow
from hpo.tracking.content import trial_content
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import (
    UUID,
    Rows,
    make_epochs,
    make_rows,
    make_study,
    make_trial,
    runs_by_key,
    shown,
    store,
    uploaded,
)

Make = Callable[[Rows], Projector]
ALL = [Reason.COMPLETE, Reason.PRUNED, Reason.DIVERGED, Reason.CRASH, Reason.GIVEN_BACK, None]


def test_every_number_of_the_rows_is_in_the_run(projector: Make, settings: Settings) -> None:
    rows = make_rows(list(ALL))
    for number in range(len(ALL)):
        projector(rows).trial(number)
    runs = shown(settings)
    for number in range(len(ALL)):
        wanted = trial_content(rows.study, rows.trial(number), rows.epochs(number))
        run = runs[f"{UUID}/{number}"]
        points = sorted((p.key, p.value, p.time_ms, p.step, 0) for p in wanted.points)
        assert sorted(run["metrics"]) == points
        assert run["params"] == wanted.params
        assert wanted.tags.items() <= run["tags"].items()
        assert run["info"] == [wanted.name, wanted.status.value, wanted.started_ms, wanted.ended_ms]


def test_a_trial_has_one_run_however_often_it_is_projected(projector: Make, settings: Settings) -> None:
    rows = make_rows([Reason.COMPLETE])
    ids = {projector(rows).trial(0) for _ in range(3)}
    rows.by_number[0] = replace(rows.trial(0), mlflow_run_id=None)  # killed before the id was stored
    ids.add(projector(rows).trial(0))
    assert len(ids) == 1
    assert runs_by_key(settings) == {f"{UUID}/0": 1}
    assert rows.trial(0).mlflow_run_id in ids


def test_a_trial_projected_while_it_grew_is_as_one_projected_at_its_end(
    projector: Make, settings: Settings, other_settings: Settings
) -> None:
    rows = Rows(make_study())
    live = projector(rows)
    for epochs in (1, 2, 4):
        rows.put(make_trial(0, None, epochs=epochs), make_epochs(0, epochs))
        live.trial(0)
        assert shown(settings)[f"{UUID}/0"]["info"][1] == "RUNNING"
    rows.put(make_trial(0, Reason.COMPLETE), make_epochs(0, 5))
    live.trial(0)
    Projector(other_settings, rows.study, rows).trial(0)
    assert shown(settings) == shown(other_settings)


def test_a_trial_that_was_given_back_runs_again_in_the_same_run(projector: Make, settings: Settings) -> None:
    rows = make_rows([Reason.GIVEN_BACK])
    first = projector(rows).trial(0)
    rows.put(make_trial(0, Reason.COMPLETE), make_epochs(0, 3) + make_epochs(0, 5, attempt=2, start=3))
    assert projector(rows).trial(0) == first
    assert shown(settings)[f"{UUID}/0"]["info"][1] == "FINISHED"


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("end", [None, Reason.PRUNED])
@pytest.mark.parametrize("anew", [3, 5, 6])
def test_epochs_that_were_taken_back_leave_mlflow_too(
    projector: Make, settings: Settings, other_settings: Settings, same_process: bool, end: Reason | None, anew: int
) -> None:
    """A later attempt found no usable checkpoint, and trained fewer epochs again, the same number, or more."""
    rows = Rows(make_study())
    rows.put(make_trial(0, None, epochs=5), make_epochs(0, 5))
    first = projector(rows)
    first.trial(0)
    later = [replace(row, recorded_at=row.recorded_at + timedelta(hours=1)) for row in make_epochs(0, anew, attempt=2)]
    rows.put(make_trial(0, end, epochs=anew), later)
    second = first if same_process else projector(rows)
    second.trial(0)
    Projector(other_settings, rows.study, rows).trial(0)
    assert shown(settings) == shown(other_settings)
    assert rows.trial(0).mlflow_run_id is not None
    assert second.trial(0) == rows.trial(0).mlflow_run_id


def test_who_reads_old_epochs_takes_nothing_back(projector: Make, settings: Settings) -> None:
    """Two projectors write the same attempt; one of them read its rows before the other wrote."""
    rows = Rows(make_study())
    rows.put(make_trial(0, None, epochs=5), make_epochs(0, 5))
    run = projector(rows).trial(0)

    class Late(Rows):
        reads = 0

        @override
        def epochs(self, number: int) -> list[EpochRow]:
            self.reads += 1
            return super().epochs(number)[: 3 if self.reads == 1 else None]

    late = Late(rows.study, rows.by_number, rows.epochs_of, rows.experiment_id)
    assert projector(late).trial(0) == run
    assert len(shown(settings)[f"{UUID}/0"]["metrics"]) > 0


def test_a_trial_that_waits_for_its_first_attempt_has_no_run(projector: Make, settings: Settings) -> None:
    rows = Rows(make_study())
    rows.put(replace(make_trial(0, Reason.GIVEN_BACK), attempts=()), [])
    assert projector(rows).trial(0) == ""
    assert runs_by_key(settings) == {}


def test_nan_is_written_once(projector: Make, settings: Settings) -> None:
    rows = make_rows([Reason.DIVERGED])
    rows.epochs_of[0][-1] = replace(rows.epochs_of[0][-1], objective=math.nan)
    for _ in range(2):
        store_sees_everything(projector(rows), settings)
        projector(rows).trial(0)
    nan = [row for row in shown(settings)[f"{UUID}/0"]["metrics"] if row[4]]
    assert [(row[0], row[3]) for row in nan] == [("objective", 3)]


def store_sees_everything(projecting: Projector, settings: Settings) -> None:
    """Make the projector write everything again: without the digest, a run counts as incomplete."""
    projecting.trial(0)
    with sqlite3.connect(store(settings)) as connection:
        connection.execute("DELETE FROM tags WHERE key = 'hpo.projected'")


def test_more_than_a_batch_of_params_and_points_arrives(projector: Make, settings: Settings) -> None:
    rows = Rows(make_study())
    many = {f"argument_{index}": index / 7 for index in range(230)}
    rows.put(replace(make_trial(0, epochs=120), train=many), make_epochs(0, 120))
    projector(rows).trial(0)
    run = shown(settings)[f"{UUID}/0"]
    wanted = trial_content(rows.study, rows.trial(0), rows.epochs(0))
    assert run["params"] == wanted.params
    assert len(run["metrics"]) == len(wanted.points) > 1000


def test_a_run_deleted_in_mlflow_is_made_anew(projector: Make, settings: Settings) -> None:
    rows = make_rows([None])
    live = projector(rows)
    first = live.trial(0)
    MlflowClient(settings.tracking_uri).delete_run(first)
    rows.put(make_trial(0, Reason.COMPLETE), make_epochs(0, 5))
    second = live.trial(0)
    assert second != first
    assert runs_by_key(settings) == {f"{UUID}/0": 1}
    assert rows.trial(0).mlflow_run_id == second


def test_a_twin_made_at_the_same_moment_goes_and_everyone_keeps_the_same_run(
    projector: Make, settings: Settings
) -> None:
    rows = make_rows([Reason.COMPLETE])
    kept = projector(rows).trial(0)
    client = MlflowClient(settings.tracking_uri)
    assert rows.experiment_id is not None
    client.create_run(rows.experiment_id, tags={"hpo.trial": f"{UUID}/0"})
    assert projector(rows).trial(0) == kept
    assert runs_by_key(settings) == {f"{UUID}/0": 1}


def test_two_who_write_one_run_at_the_same_moment_both_succeed(
    projector: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is one that a server on PostgreSQL gave (3.17) when another transaction came between."""
    rows, theirs = make_rows([Reason.COMPLETE]), make_rows([Reason.COMPLETE])
    mine = projector(rows)
    log_batch = MlflowClient.log_batch
    between: list[int] = []

    def meanwhile(client: MlflowClient, *given: Any, **named: Any) -> Any:
        if not between:
            between.append(1)
            projector(theirs).trial(0)
            raise MlflowException(
                '(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint "param_pk"',
                BAD_REQUEST,
            )
        return log_batch(client, *given, **named)

    monkeypatch.setattr(MlflowClient, "log_batch", meanwhile)
    assert mine.trial(0) == theirs.trial(0).mlflow_run_id
    assert runs_by_key(settings) == {f"{UUID}/0": 1}
    wanted = trial_content(rows.study, rows.trial(0), rows.epochs(0))
    assert shown(settings)[f"{UUID}/0"]["params"] == wanted.params


def test_an_experiment_of_that_name_which_is_not_ours_is_left_alone(projector: Make, settings: Settings) -> None:
    client = MlflowClient(settings.tracking_uri)
    foreign = client.create_experiment("digits")
    rows = make_rows([Reason.COMPLETE])
    projector(rows).trial(0)
    assert client.search_runs([foreign]) == []
    assert client.get_experiment(rows.experiment_id).name == f"digits-{UUID[:8]}"
    other = make_rows([Reason.COMPLETE], study=make_study(uuid="ffffffff-0000-4000-8000-000000000002"))
    projector(other).trial(0)
    assert client.get_experiment(other.experiment_id).name == "digits-ffffffff"


def test_a_deleted_experiment_of_the_study_comes_back(projector: Make, settings: Settings) -> None:
    rows = make_rows([Reason.COMPLETE])
    projector(rows).trial(0)
    experiment_id = rows.experiment_id
    MlflowClient(settings.tracking_uri).delete_experiment(experiment_id)
    for stored in (experiment_id, None):
        rows.study = replace(rows.study, mlflow_experiment_id=stored)
        projector(rows).trial(0)
        assert rows.experiment_id == experiment_id
    assert runs_by_key(settings) == {f"{UUID}/0": 1}


def test_the_studys_run_holds_what_was_asked_for(projector: Make, settings: Settings) -> None:
    rows = make_rows([Reason.COMPLETE, Reason.COMPLETE])
    projector(rows).study()
    assert shown(settings)[f"{UUID}/study"]["info"][0] == "study"
    (run,) = MlflowClient(settings.tracking_uri).search_runs([rows.experiment_id], "tags.stage = 'study'")
    held = uploaded(settings, run.info.run_id)
    assert held.keys() == {"study.yaml", "dataset.json", "model.yaml"}
    assert b"name: digits" in held["study.yaml"]
    assert "best_value" in run.data.metrics


def test_a_store_that_does_not_answer_is_an_outage(tmp_path: Path) -> None:
    rows = make_rows([Reason.COMPLETE])
    nobody = Settings(tmp_path, "", "http://user:secret@127.0.0.1:9", None)
    with pytest.raises(StorageUnavailable, match="hpo sync") as told:
        Projector(nobody, rows.study, rows).trial(0)
    assert "secret" not in str(told.value)


def test_a_store_that_is_no_database_is_an_outage(tmp_path: Path) -> None:
    rows = make_rows([Reason.COMPLETE])
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    broken = Settings(tmp_path, "", f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")
    with pytest.raises(StorageUnavailable, match=r"mlflow\.db"):
        Projector(broken, rows.study, rows).trial(0)
