"""A pooler in transaction mode: what works behind it, and what asks for PostgreSQL's own address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from hpo.errors import UsageError
from hpo.study.database import pooler as between
from hpo.study.database.storage import connect, open_storage
from hpo.study.studies import setup
from tests import postgres
from tests.pgbouncer import pooler, through

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
