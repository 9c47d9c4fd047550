"""Real databases, SQLite and PostgreSQL. The tables are made once per session; each test gets a copy.

The long tests repeat what workers and commands do on PostgreSQL behind PgBouncer in transaction mode.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from hpo.study.database.roles import Role, RoleKind
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import setup
from hpo.study.studies.lifecycle import create_or_join
from hpo.studyfile.schema import StudySpec
from tests import postgres
from tests.pgbouncer import pooler, through
from tests.study.support import FACTS, IDENTITY, Clock, MakeStudy, study_spec

POOLED = ("worker_session", "ending", "enqueued", "uploads", "grid", "lifecycle", "controls", "snapshot", "leaderboard")
"""Modules whose tests run behind the pooler too; the others upgrade tables, or have a server of their own."""

AS_WORKER = ("worker_session", "ending", "enqueued", "uploads", "grid", "reaping", "blind", "failing", "swept")
"""Modules whose tests on PostgreSQL have the rights of a worker's role, and no others."""
WORKER = Role(RoleKind.WORKER, "hpo_test_worker", "worker-pass")

LONG_ON_POSTGRES = ("crash_points", "stopped_admission", "warm", "sampling", "values_0004")
"""Modules whose tests on PostgreSQL are long tests: they take most of the suite's time on it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of each test that uses one."""
    if "template" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".test_")[2]
        is_long = module in LONG_ON_POSTGRES or "_at_once_" in metafunc.function.__name__  # several processes
        name = "worker" if module in AS_WORKER else "postgres"
        itself = pytest.param(name, marks=pytest.mark.long if is_long else ())
        behind = [pytest.param("pgbouncer", marks=pytest.mark.long)] if module in POOLED else []
        metafunc.parametrize("template", ["sqlite", itself, *behind], indirect=True, scope="session")


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: str) -> Iterator[int]:
    """Return the port of a pooler before the server."""
    with pooler(postgres_server) as port:
        yield port


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a closed database with all tables and no study."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'hpo.db'}"
        open_storage(url, create=True).close()
        yield url
        return
    server = request.getfixturevalue("postgres_server")
    url = postgres.create_database(server)
    setup.init(url, [WORKER] if request.param == "worker" else [])
    yield url
    postgres.drop_database(server, url)


@pytest.fixture
def storage_url(template: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a database with all tables and no study."""
    source = make_url(template).database
    assert source is not None
    if template.startswith("sqlite"):
        shutil.copy(source, tmp_path / "hpo.db")
        yield f"sqlite:///{tmp_path / 'hpo.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = postgres.create_database(server, source)
    if request.node.callspec.params["template"] == "worker":
        with psycopg.connect(url) as connection:  # rights on a database are not copied with its template
            connection.execute(f"GRANT CONNECT ON DATABASE {make_url(url).database} TO {WORKER.name}")
        as_worker = make_url(url).set(username=WORKER.name, password=WORKER.password)
        yield as_worker.render_as_string(hide_password=False)
    else:
        yield through(url, request.getfixturevalue("pgbouncer")) if _is_pooled(request) else url
    postgres.drop_database(server, url)


def _is_pooled(request: pytest.FixtureRequest) -> bool:
    return bool(request.node.callspec.params["template"] == "pgbouncer")


@pytest.fixture
def empty_url(template: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a database without any table (SQLite: without file and folder)."""
    if template.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'deep' / 'hpo.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = postgres.create_database(server)
    yield url
    postgres.drop_database(server, url)


@pytest.fixture
def storage(storage_url: str) -> Iterator[Storage]:
    with open_storage(storage_url, create=False) as opened:
        yield opened


@pytest.fixture
def owners(storage: Storage, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Return the same database with the rights of its owner."""
    if storage.url.username != WORKER.name:
        yield storage
        return
    url = make_url(request.getfixturevalue("postgres_server")).set(database=storage.url.database)
    with open_storage(url.render_as_string(hide_password=False), create=False) as opened:
        yield opened


@pytest.fixture
def make_study(storage: Storage) -> MakeStudy:
    """Return a function that stores a specification in the test's database."""

    def make(spec: StudySpec) -> StudyRow:
        return create_or_join(storage, spec, IDENTITY, FACTS)

    return make


@pytest.fixture
def study(make_study: MakeStudy) -> StudyRow:
    return make_study(study_spec(trials=3))


@pytest.fixture
def session(storage: Storage, study: StudyRow, clock: Clock) -> WorkerSession:
    return WorkerSession(storage, study, "w", None, clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()
