"""A damaged row is told with its study and its column, and other studies go on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.api.documents import finite, status_json, trial_json
from hpo.errors import StorageUnavailable
from hpo.study.database.storage import Storage, open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, snapshot
from hpo.study.studies.lifecycle import create_or_join
from tests.study.support import FACTS, IDENTITY, admit_only, study_spec, train

PLACES = (
    *("hpo_studies.spec", "hpo_studies.facts", "hpo_trials.params", "hpo_trials.value", "hpo_trials.epochs"),
    *("hpo_trials.reason", "hpo_attempts.effective", "hpo_attempts.reason", "hpo_epochs.seconds"),
)
GARBAGE = ("{", "[]", "half a te", "\x00\xff")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("damage") / "hpo.db"
    with open_storage(f"sqlite:///{file}", create=True) as storage:
        for name in ("one", "two"):
            study = create_or_join(storage, study_spec(name=name, trials=3), IDENTITY, FACTS)
            session = WorkerSession(storage, study, "mine", None)
            train(session, admit_only(session))
    with sqlite3.connect(file) as base:
        base.execute("PRAGMA journal_mode=DELETE")
    return file


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Callable[[str, str, object], str]:
    def damage(table: str, column: str, value: object) -> str:
        file = shutil.copyfile(whole, tmp_path / "hpo.db")
        whose = "name = 'one'" if table == "hpo_studies" else "study_id = (select id from hpo_studies where name='one')"
        with sqlite3.connect(file) as base:
            base.execute(f"update {table} set {column} = ? where {whose}", (value,))  # noqa: S608
        return f"sqlite:///{file}"

    return damage


def _look(storage: Storage, name: str) -> None:
    study = lifecycle.load(storage, name)
    snapshot.status(storage, study)
    snapshot.epochs(storage, study, snapshot.trials(storage, study)[0].number)


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("place", PLACES)
def test_one_bad_value_is_told_with_study_and_column_and_other_studies_go_on(
    damaged: Callable[[str, str, object], str], place: str, value: str
) -> None:
    table, column = place.split(".")
    if (column, value) in {("params", "[]"), ("effective", "[]")}:
        return  # readable, if odd
    with open_storage(damaged(table, column, value), create=False) as storage:
        with pytest.raises(StorageUnavailable, match=rf"study 'one'.*{column}.*backup") as caught:
            _look(storage, "one")
        assert caught.value.exit_code == 4
        assert caught.value.lasting
        _look(storage, "two")


@pytest.mark.parametrize("name", ["../../mine", "/etc", "..", "a/b", "\x1b]0;x"])
def test_a_name_that_leads_to_another_folder_is_no_study(damaged: Callable[[str, str, object], str], name: str) -> None:
    with open_storage(damaged("hpo_studies", "name", name), create=False) as storage:
        with pytest.raises(StorageUnavailable, match=r"column hpo_studies\.name .*no name of a study"):
            lifecycle.load(storage, name)
        _look(storage, "two")


def test_a_moment_that_is_none_is_told_with_its_study(damaged: Callable[[str, str, object], str]) -> None:
    url = damaged("hpo_attempts", "started_at", "31 February")
    with open_storage(url, create=False) as storage, pytest.raises(StorageUnavailable, match=r"study 'one'.*backup"):
        _look(storage, "one")


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_json_never_holds_what_json_lacks_and_no_infinite_trial_is_the_best(
    damaged: Callable[[str, str, object], str], value: float
) -> None:
    with open_storage(damaged("hpo_trials", "value", value), create=False) as storage:
        study = lifecycle.load(storage, "one")
        status, rows = snapshot.status(storage, study), snapshot.trials(storage, study)
    assert status.best is None
    told = json.dumps(finite([status_json(status), *map(trial_json, rows)]), allow_nan=False, default=str)
    assert json.loads(told)[1]["value"] is None


def test_half_a_file_is_told_in_words(whole: Path, tmp_path: Path) -> None:
    file = tmp_path / "hpo.db"
    file.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(StorageUnavailable, match="backup"):
        _look_at_all(f"sqlite:///{file}")


def _look_at_all(url: str) -> None:
    with open_storage(url, create=False) as storage:
        for name in ("one", "two"):
            _look(storage, name)
