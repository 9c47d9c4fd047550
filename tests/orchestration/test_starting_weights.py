"""Starting weights: uploaded once, found by content, fetched if they are missing, refused if their content differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpo import files
from hpo.errors import UsageError
from hpo.orchestration.starting_weights import obtain, share
from hpo.study.records import Identity, StudyRow
from tests.orchestration.stores import FolderStore
from tests.tracking.support import make_study


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "creator" / "start.pt"
    made.parent.mkdir()
    made.write_bytes(b"weights")
    return made


@pytest.fixture
def study(file: Path) -> StudyRow:
    made = make_study()
    spec = replace(made.spec, model=str(file))
    return replace(made, spec=spec, identity=Identity(made.identity.data_fingerprint, files.digest(file)))


def shared(store: FolderStore, study: StudyRow, file: Path) -> StudyRow:
    told: list[str] = []
    share(store, study, file, told.append)
    return replace(study, facts=replace(study.facts, weights=told[0])) if told else study


def test_a_machine_without_the_file_fetches_it_once(
    store: FolderStore, study: StudyRow, file: Path, tmp_path: Path
) -> None:
    known = shared(store, study, file)
    file.unlink()
    found = obtain(store, known, tmp_path / "weights")
    assert found is not None
    assert found.read_bytes() == b"weights"
    store.away = True
    assert obtain(store, known, tmp_path / "weights") == found


def test_weights_are_uploaded_once(store: FolderStore, study: StudyRow, file: Path) -> None:
    known = shared(store, study, file)
    tries = store.tries
    assert shared(store, known, file) == known
    assert store.tries == tries


def test_a_store_that_is_away_does_not_hinder_a_study(store: FolderStore, study: StudyRow, file: Path) -> None:
    store.away = True
    assert shared(store, study, file).facts.weights is None
    assert obtain(store, study, file.parent) == file


def test_another_file_under_the_same_name_is_not_taken_for_them(
    store: FolderStore, study: StudyRow, file: Path, tmp_path: Path
) -> None:
    known = shared(store, study, file)
    file.write_bytes(b"another")
    found = obtain(store, known, tmp_path / "weights")
    assert found is not None
    assert found.read_bytes() == b"weights"


@pytest.mark.parametrize("what", ["damaged", "gone", "away"])
def test_weights_that_can_not_be_had_are_the_users_to_bring(
    store: FolderStore, study: StudyRow, file: Path, tmp_path: Path, what: str
) -> None:
    known = shared(store, study, file)
    file.unlink()
    [uploaded] = store.root.rglob("start.pt")
    if what == "damaged":
        uploaded.write_bytes(b"other")
    elif what == "gone":
        uploaded.unlink()
    store.away = what == "away"
    with pytest.raises(UsageError, match=r"start\.pt at .* on this machine") as caught:
        obtain(store, known, tmp_path / "weights")
    assert caught.value.exit_code == 2
    assert [path for path in (tmp_path / "weights").rglob("*") if path.is_file()] == []
