"""Real databases. The tables are made once a session; each test gets a copy.

``HPO_TEST_POSTGRES`` (a URL whose role may create databases) runs everything on PostgreSQL as well.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from hpo.spec.schema import StudySpec
from hpo.study.lifecycle import create_or_join
from hpo.study.records import StudyRow
from hpo.study.storage import Storage, open_storage
from hpo.study.worker_session import WorkerSession
from tests.study.support import FACTS, IDENTITY, Clock, Opened, study_spec

POSTGRES = os.environ.get("HPO_TEST_POSTGRES")


@pytest.fixture(scope="session", params=["sqlite", *(["postgres"] if POSTGRES else [])])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a database with all tables and no study, closed."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'hpo.db'}"
        open_storage(url, create=True).close()
        yield url
        return
    name = _create_database("template0")
    url = _postgres(name)
    open_storage(url, create=True).close()
    yield url
    _administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def storage_url(template: str, tmp_path: Path) -> Iterator[str]:
    """Of a database with all tables and no study."""
    source = make_url(template).database
    assert source is not None
    if template.startswith("sqlite"):
        shutil.copy(source, tmp_path / "hpo.db")
        yield f"sqlite:///{tmp_path / 'hpo.db'}"
        return
    name = _create_database(source)
    yield _postgres(name)
    _administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_url(template: str, tmp_path: Path) -> Iterator[str]:
    """Of a database without any table (SQLite: without file and folder)."""
    if template.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'deep' / 'hpo.db'}"
        return
    name = _create_database("template0")
    yield _postgres(name)
    _administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def storage(storage_url: str) -> Iterator[Storage]:
    with open_storage(storage_url, create=False) as opened:
        yield opened


@pytest.fixture
def make_study(storage: Storage) -> Opened:
    """Stores a specification in the test's database."""

    def make(spec: StudySpec) -> StudyRow:
        return create_or_join(storage, spec, IDENTITY, FACTS)

    return make


@pytest.fixture
def study(make_study: Opened) -> StudyRow:
    return make_study(study_spec(trials=3))


@pytest.fixture
def session(storage: Storage, study: StudyRow) -> WorkerSession:
    return WorkerSession(storage, study, "w", None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _create_database(source: str) -> str:
    name = f"hpo_{uuid.uuid4().hex}"
    _administer(f"CREATE DATABASE {name} TEMPLATE {source}")
    return name


def _postgres(database: str) -> str:
    return make_url(str(POSTGRES)).set(database=database).render_as_string(hide_password=False)


def _administer(statement: str) -> None:
    url = make_url(str(POSTGRES)).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
