"""Real databases. The tables are made once a session; each test gets a copy of that file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo.spec.schema import StudySpec
from hpo.study.lifecycle import create_or_join
from hpo.study.records import StudyRow
from hpo.study.storage import Storage, open_storage
from tests.study.support import FACTS, IDENTITY, Clock, Opened


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no study; closed, so that its write-ahead log is empty."""
    path = tmp_path_factory.mktemp("template") / "hpo.db"
    open_storage(f"sqlite:///{path}", create=True).close()
    return path


@pytest.fixture
def storage_url(template: Path, tmp_path: Path) -> str:
    """Of a database with all tables and no study."""
    shutil.copy(template, tmp_path / "hpo.db")
    return f"sqlite:///{tmp_path / 'hpo.db'}"


@pytest.fixture
def storage(storage_url: str) -> Iterator[Storage]:
    with open_storage(storage_url, create=False) as opened:
        yield opened


@pytest.fixture
def make_study(storage: Storage) -> Opened:
    """Stores a specification in the test's database."""

    def make(spec: StudySpec) -> tuple[Storage, StudyRow]:
        return storage, create_or_join(storage, spec, IDENTITY, FACTS)

    return make


@pytest.fixture
def clock() -> Clock:
    return Clock()
