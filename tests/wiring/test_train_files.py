"""Files of weights under ``train``: each is read where it lies now, and content decides which one it is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import StudyConflict, UsageError
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.studies import places
from hpo.study.studies.lifecycle import create_or_join
from hpo.wiring.model import remember_files, train_files_here
from tests.study.support import FACTS, IDENTITY, study_spec

TEACHER = b"a teacher's weights"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "runs", "", "", None)


@pytest.fixture
def study(storage: Storage, tmp_path: Path) -> StudyRow:
    """Return a study with a teacher that is at its place no more."""
    spec = study_spec(train=(("distill_model", str(tmp_path / "gone" / "teacher.pt")), ("epochs", 3)))
    facts = replace(FACTS, train_files={"distill_model": hashlib.sha256(TEACHER).hexdigest()})
    return create_or_join(storage, spec, IDENTITY, facts)


def written(file: Path, content: bytes = TEACHER) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_a_file_that_has_moved_is_read_where_it_was_found_last(
    study: StudyRow, settings: Settings, tmp_path: Path
) -> None:
    moved = written(tmp_path / "b %41 ?#'" / "teacher.pt")
    asked = replace(study.spec, train=(("distill_model", str(moved)), ("epochs", 3)))
    assert remember_files(settings, study, asked) == {"distill_model": str(moved)}
    assert train_files_here(study, settings) == {"distill_model": str(moved)}


def test_a_file_may_be_put_among_the_weights_of_the_home(study: StudyRow, settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"train\.distill_model: .*teacher\.pt: no such file on this machine; put"):
        train_files_here(study, settings)
    put = written(settings.home / "weights" / "teacher.pt")
    assert train_files_here(study, settings) == {"distill_model": str(put)}


def test_another_content_is_a_conflict_wherever_it_lies(study: StudyRow, settings: Settings, tmp_path: Path) -> None:
    places.remember(settings.home, study.name, "distill_model", written(tmp_path / "teacher.pt", b"another"))
    with pytest.raises(StudyConflict, match=r"train\.distill_model \(content of its file\): stored sha256"):
        train_files_here(study, settings)
    put = written(settings.home / "weights" / "teacher.pt")
    assert train_files_here(study, settings) == {"distill_model": str(put)}
