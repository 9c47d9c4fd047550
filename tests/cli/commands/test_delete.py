"""Deletion of a study: what is removed and what stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.settings import load_settings
from hpo.study.database.storage import open_storage
from hpo.study.records import Upload
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies.lifecycle import load
from hpo.wiring.projecting import checkpoint_store
from tests.cli.conftest import Shell
from tests.study.support import admit

Study = Callable[..., Path]


def give_back(shell: Shell, location: Callable[[], str]) -> None:
    """Give a trial of the study back after it has uploaded a checkpoint to ``location``."""
    with (
        open_storage(f"sqlite:///{shell.home / 'hpo.db'}", create=False) as storage,
        WorkerSession(storage, load(storage, "small"), "w", None) as session,
    ):
        trial = admit(session)
        session.uploads.add(trial.token, Upload(1, "0" * 64, location()))
        session.give_back(trial.token, 1, None)


@pytest.mark.long
def test_uploaded_checkpoints_go_with_their_study(shell: Shell, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shell.folder)  # MLflow's files lie in the folder where its store was made
    shell.variables["MLFLOW_TRACKING_URI"] = f"sqlite:///{shell.folder / 'mlflow.db'}"
    shell.run("create", study(), "baseline=false")
    made = shell.folder / "made"
    made.mkdir()
    (made / "checkpoint-00001.pt").write_bytes(b"state")

    def put() -> str:
        settings = load_settings({"HPO_HOME": str(shell.home), **shell.variables})
        with open_storage(settings.storage_url, create=False) as storage:
            store = checkpoint_store(settings, load(storage, "small"))
        assert store is not None
        return store.put(made / "checkpoint-00001.pt", "00000")

    give_back(shell, put)
    [stored] = shell.folder.glob("mlruns/*/checkpoints/**/*.pt")
    assert "deleted 'small'" in shell.run("delete", "small", "--yes")
    assert not stored.exists()


@pytest.mark.long
def test_a_row_that_names_another_file_deletes_nothing_but_the_study(
    shell: Shell, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shell.folder)  # MLflow's files lie in the folder where its store was made
    shell.variables["MLFLOW_TRACKING_URI"] = f"sqlite:///{shell.folder / 'mlflow.db'}"
    shell.run("create", study(), "baseline=false")
    mine = shell.folder / "mine" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    give_back(shell, lambda: str(mine))
    process = shell.start("delete", "small", "--yes")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "deleted 'small': 1 trials" in out
    assert f"{mine}: lies outside of" in err
    assert mine.read_text() == "precious"


@pytest.mark.long
def test_a_store_that_is_away_keeps_them_and_it_is_said(shell: Shell, study: Study) -> None:
    shell.variables["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    shell.run("create", study(), "baseline=false")
    give_back(shell, lambda: "mlflow-artifacts:/1/checkpoints/00000/checkpoint-00001.pt")
    process = shell.start("delete", "small", "--yes")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "deleted 'small': 1 trials" in out
    assert "uploaded checkpoints stay where they are: " in err
    assert "127.0.0.1:9" in err
