"""What every role of a server may do by default, and no role of hpo needs, is taken away in hpo's databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from hpo.errors import StorageUnavailable
from hpo.study.claims import claims
from hpo.study.database.storage import open_storage
from hpo.study.studies import setup
from tests.head.conftest import Server
from tests.head.roles import IN_URL, MLFLOW, READER, WORKER, execute, refused


@pytest.fixture(scope="module")
def by_hand(server: Server) -> Iterator[str]:
    """Give the name of a database that its administrator has made, like MLflow's, and that hpo has filled."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {MLFLOW.name}")
        for name in ("by_hand", MLFLOW.name):
            connection.execute(f"CREATE DATABASE {name}")
        setup.init(server.url("by_hand"), [WORKER, READER, MLFLOW])
        yield "by_hand"
        connection.execute(f"DROP DATABASE {MLFLOW.name} WITH (FORCE)")


@pytest.fixture
def as_role(server: Server, by_hand: str) -> dict[str, str]:
    return {name: server.url(by_hand, name, password) for name, password in IN_URL.items()}


@pytest.fixture(scope="module")
def connected(server: Server, by_hand: str) -> Iterator[dict[str, psycopg.Connection]]:
    urls = {role.name: server.url(by_hand, role.name, IN_URL[role.name]) for role in (WORKER, READER)}
    with ExitStack() as stack:
        yield {name: stack.enter_context(psycopg.connect(url, autocommit=True)) for name, url in urls.items()}


@pytest.mark.parametrize(
    ("name", "guests", "strangers"),
    [("by_hand", ["w_ork", "reader"], ["mlflow"]), ("mlflow", ["mlflow"], ["w_ork", "reader"])],
)
def test_no_role_enters_a_database_that_is_not_its_own(
    server: Server, by_hand: str, name: str, guests: list[str], strangers: list[str]
) -> None:
    for role in guests:
        execute(server.url(name, role, IN_URL[role]), "SELECT 1")
    for role in strangers:
        with pytest.raises(DBAPIError, match="permission denied for database"):
            execute(server.url(name, role, IN_URL[role]), "SELECT 1")


@pytest.mark.parametrize("role", [WORKER.name, READER.name])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE TABLE mine (x int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_no_role_stores_or_locks_what_is_no_row(
    connected: dict[str, psycopg.Connection], role: str, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connected[role].execute(statement)


def test_only_a_worker_takes_the_lock_of_admissions(as_role: dict[str, str]) -> None:
    lock = "SELECT pg_advisory_xact_lock(1752198977, 1)"
    execute(as_role[WORKER.name], lock)
    assert refused(as_role[READER.name], lock)


def test_a_lock_that_is_waited_for_in_vain_names_its_holder(as_role: dict[str, str]) -> None:
    url = as_role[WORKER.name]
    with (
        psycopg.connect(url, application_name="my editor") as holder,
        open_storage(f"{url}?options=-clock_timeout%3D200ms", create=False) as storage,
    ):
        holder.execute("SELECT pg_advisory_xact_lock(1752198977, 1)")
        pid = holder.info.backend_pid
        said = rf"{WORKER.name} \(my editor, pid {pid}, from 127\.0\.0\.1\) since 20\d\d-.*pg_terminate_backend"
        with pytest.raises(StorageUnavailable, match=said) as caught:
            storage.write(lambda connection: claims.lock_study(connection, 1))
    assert not caught.value.lasting


def test_those_who_wait_themselves_are_not_named(as_role: dict[str, str]) -> None:
    url = as_role[WORKER.name]
    with psycopg.connect(url) as holder, psycopg.connect(url, application_name="waits") as waiting:
        holder.execute("SELECT pg_advisory_xact_lock(1752198977, 1)")
        lock = "SELECT pg_advisory_xact_lock(1752198977, 1)"
        thread = threading.Thread(target=waiting.execute, args=(lock,))
        thread.start()
        with (
            open_storage(f"{url}?options=-clock_timeout%3D200ms", create=False) as storage,
            pytest.raises(StorageUnavailable) as caught,
        ):
            storage.write(lambda connection: claims.lock_study(connection, 1))
        holder.commit()
        thread.join(10)
    assert "waits" not in str(caught.value)
