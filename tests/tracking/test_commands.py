"""``hpo sync`` and ``hpo ui`` on a study that the real study package stored."""

from __future__ import annotations

import json
import sqlite3
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import cli
from hpo.errors import StorageUnavailable
from hpo.settings import load_settings
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, snapshot
from hpo.tracking.projection import Projector
from hpo.tracking.reader import ProjectionReader
from hpo.trial.vocabulary import Reason
from tests.study.support import FACTS, IDENTITY, begin, ended, epoch_report, run, study_spec, train
from tests.tracking.support import runs_by_key, settings_in, shown

Hpo = Callable[..., Result]


@pytest.fixture
def hpo(tmp_path: Path) -> Hpo:
    """Run the command line with its own home folder."""

    def call(*arguments: str, **environment: str) -> Result:
        env = {"HPO_HOME": str(tmp_path / "runs"), "MLFLOW_TRACKING_URI": "", "HPO_STORAGE": "", **environment}
        return CliRunner().invoke(cli, list(arguments), env=env, catch_exceptions=True)

    return call


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with open_storage(settings_in(tmp_path / "runs").storage_url, create=True) as opened:
        yield opened


@pytest.fixture
def study(storage: Storage, empty_store: Path, tmp_path: Path) -> StudyRow:
    """Make two complete trials, one pruned, one running; MLflow has none of them."""
    row = lifecycle.create_or_join(storage, study_spec(trials=5), IDENTITY, FACTS)
    session = WorkerSession(storage, row, "node-1", None)
    proposals = [proposal for proposal in (session.admit() for _ in range(4)) if proposal is not None]
    for proposal in proposals[:2]:
        train(session, proposal, epochs=3)
    for proposal in proposals[2:]:
        begin(session, proposal, tmp_path / "attempt")
        session.report(proposal.token, epoch_report(1, 0.1))
    session.end(proposals[2].token, ended(Reason.PRUNED, epochs=1))
    return lifecycle.load(storage, row.name)


def test_every_stored_trial_is_projected_with_its_curve(storage: Storage, study: StudyRow, tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "runs")
    Projector(settings, study, ProjectionReader(storage, study)).everything()
    runs = shown(settings)
    assert set(runs_by_key(settings)) == {f"{study.uuid}/{name}" for name in (0, 1, 2, 3, "study")}
    for row in snapshot.trials(storage, study):
        run = runs[f"{study.uuid}/{row.number}"]
        curve = [metric for metric in run["metrics"] if metric[0] == "metrics/mAP50B"]
        assert [(value, step) for _, value, _, step, _ in curve] == [
            (epoch.metrics["metrics/mAP50B"], epoch.epoch) for epoch in snapshot.epochs(storage, study, row.number)
        ]
        assert row.mlflow_run_id is not None
    assert {runs[f"{study.uuid}/{number}"]["info"][1] for number in range(4)} == {"FINISHED", "KILLED", "RUNNING"}
    assert lifecycle.load(storage, study.name).mlflow_experiment_id is not None


@pytest.mark.long
def test_sync_rebuilds_what_was_deleted(hpo: Hpo, study: StudyRow, tmp_path: Path) -> None:
    first = json.loads(hpo("sync", "--json").stdout)
    assert (first["study"], first["runs"], first["created"]) == (study.name, 4, 4)
    again = json.loads(hpo("sync", study.name, "--json").stdout)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 1, 3)
    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as store, store:
        store.execute("UPDATE runs SET lifecycle_stage = 'deleted'")
    printed = hpo("sync").stdout
    assert printed.startswith(f"{study.name}: 4 trials in MLflow")
    assert "4 created" in printed
    assert set(runs_by_key(settings_in(tmp_path / "runs")).values()) == {1}


def test_sync_of_a_server_that_is_down_says_so(hpo: Hpo, study: StudyRow) -> None:
    result = hpo("sync", MLFLOW_TRACKING_URI="http://user:secret@127.0.0.1:9")
    assert isinstance(result.exception, StorageUnavailable)
    assert "secret" not in str(result.exception)


def test_ui_of_a_server_that_runs_already_only_tells_its_address(
    hpo: Hpo, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    server = {"MLFLOW_TRACKING_URI": "http://user:secret@127.0.0.1:9"}
    told = hpo("ui", "--no-open", **server)
    assert told.exit_code == 0
    assert "http://127.0.0.1:9/#/experiments" in told.stdout
    assert f"hpo sync {study.name}" in told.stdout
    assert "secret" not in told.stdout
    assert opened == []
    hpo("ui", **server)
    assert opened == ["http://127.0.0.1:9/#/experiments"]


@pytest.mark.parametrize("name", [pytest.param("run%41s", marks=pytest.mark.long), "a%2Fb ?#'\"c"])
def test_a_home_holds_everything_that_commands_write_whatever_its_name(hpo: Hpo, tmp_path: Path, name: str) -> None:
    home = tmp_path / "homes" / name
    with open_storage(load_settings({"HPO_HOME": str(home)}).storage_url, create=True) as storage:
        row = lifecycle.create_or_join(storage, study_spec(trials=1), IDENTITY, FACTS)
        run(WorkerSession(storage, row, "node-1", None))
    for command in ("status", "sync", "trials"):
        result = hpo(command, HPO_HOME=str(home))
        assert result.exit_code == 0, (result.output, result.exception)
    assert (home / "mlflow.db").is_file()
    assert list((tmp_path / "homes").iterdir()) == [home]
