"""A pooler in transaction mode: what works behind it, and what asks for PostgreSQL's own address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from hpo.errors import UsageError
from hpo.study.database import pooler as between
from hpo.study.database.storage import connect, open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, setup
from tests import postgres
from tests.pgbouncer import pooler, through
from tests.study.conftest import WORKER
from tests.study.support import FACTS, IDENTITY, admit, begin, run, study_spec

QUIET = "ignore_startup_parameters = options"
"""With this setting PgBouncer takes the settings of a connection and drops them."""


@pytest.fixture(scope="module", params=["", QUIET], ids=["refuses-options", "drops-options"])
def port(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[int]:
    with pooler(postgres_server, more=request.param) as opened:
        yield opened


@pytest.fixture
def url(postgres_server: str) -> Iterator[str]:
    made = postgres.create_database(postgres_server)
    yield made
    postgres.drop_database(postgres_server, made)


def test_a_pooler_is_recognized_and_no_statement_is_prepared(url: str, port: int) -> None:
    with connect(url) as direct, direct.engine.connect() as connection:
        assert not between.is_between(connection)
    with connect(through(url, port)) as storage:
        for engine in (storage.engine, storage.reader):
            with engine.connect() as connection:
                assert between.is_between(connection)
                for _ in range(20):
                    connection.execute(text("SELECT 1"))
                prepared = connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))
                assert prepared.scalar_one() == 0


def test_making_tables_and_roles_asks_for_the_direct_address(url: str, port: int) -> None:
    for action in (setup.init, lambda pooled: open_storage(pooled, create=True)):
        with pytest.raises(UsageError, match=r"pooler such as PgBouncer.*own address.*hpo db init"):
            action(through(url, port))
    setup.init(url)
    open_storage(through(url, port), create=True).close()


def test_a_search_path_behind_a_pooler_belongs_to_the_role(url: str, port: int) -> None:
    with pytest.raises(UsageError, match=r"leave them out of HPO_STORAGE.*ALTER ROLE postgres IN DATABASE"):
        setup.init(through(url, port) + "?options=-csearch_path%3Dmine")


@pytest.mark.parametrize("more", ["", QUIET], ids=["refuses-options", "drops-options"])
def test_a_workers_role_proves_through_a_pooler_that_its_trials_are_its_own(
    url: str, tmp_path: Path, more: str
) -> None:
    setup.init(url, [WORKER])
    as_worker = make_url(url).set(username=WORKER.name, password=WORKER.password)
    with pooler(as_worker.render_as_string(hide_password=False), more=more) as port:
        pooled = through(url, port)
        with (
            open_storage(pooled, create=False, home=tmp_path) as storage,
            open_storage(pooled, create=False) as elsewhere,
        ):
            study = lifecycle.create_or_join(storage, study_spec(trials=2), IDENTITY, FACTS)
            with (
                WorkerSession(storage, study, "w", None) as session,
                WorkerSession(elsewhere, study, "x", None) as other,
            ):
                first = admit(session)
                begin(session, first)
                assert other.reap() == ()
                session.give_back(first.token, 0, None)
                assert len(run(session)) == 2
