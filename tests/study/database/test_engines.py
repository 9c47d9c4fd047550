"""A database that goes down between two calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from hpo.errors import StorageUnavailable
from hpo.study.database import engines
from hpo.study.database.storage import Storage, connect, open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies.lifecycle import create_or_join
from tests import postgres
from tests.study.support import FACTS, IDENTITY, run, study_spec


def connection_options(query: str) -> str:
    url = make_url(f"postgresql+psycopg://u@h/d?{query}")
    return str(engines.options(url)["connect_args"]["options"])


@pytest.mark.parametrize(
    "query",
    ["options=-csearch_path%3Dmine%20-cwork_mem%3D8MB", "options=-csearch_path%3Dmine&options=-cwork_mem%3D8MB"],
)
def test_the_options_of_a_url_join_ours_and_come_later(query: str) -> None:
    options = connection_options(query)
    assert "-c lock_timeout=" in options
    assert options.endswith("-csearch_path=mine -cwork_mem=8MB -c timezone=UTC")


def test_a_url_may_set_a_limit_but_not_the_time_zone() -> None:
    options = connection_options("options=-clock_timeout%3D5s%20-ctimezone%3DCET&connect_timeout=9")
    assert options.rindex("lock_timeout=5s") > options.index("lock_timeout=10000")
    assert options.rindex("timezone=UTC") > options.rindex("timezone=CET")


def test_a_setting_of_a_url_is_not_replaced_by_ours() -> None:
    arguments = engines.options(make_url("postgresql+psycopg://u@h/d?connect_timeout=9"))["connect_args"]
    assert "connect_timeout" not in arguments
    assert "keepalives" in arguments


@pytest.fixture
def storage(postgres_server: str) -> Iterator[Storage]:
    url = postgres.create_database(postgres_server)
    with open_storage(url, create=True) as opened:
        yield opened
    postgres.drop_database(postgres_server, url)


def _pings(engine: Engine) -> list[int]:
    """Counter of connection attempts."""
    asked: list[int] = []
    ping = engine.dialect.do_ping

    def count(connection: object) -> bool:
        asked.append(1)
        return ping(connection)  # type: ignore[arg-type]

    engine.dialect.do_ping = count  # type: ignore[method-assign,assignment]
    return asked


def _cut(storage: Storage, server: str) -> None:
    """Break all connections of this database, as a restart of the server does."""
    ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = :name"
    other = engines.writer(make_url(server).set(drivername="postgresql+psycopg"))
    with other.begin() as connection:
        assert connection.execute(text(ended), {"name": storage.url.database}).all()
    other.dispose()


def test_a_connection_that_lay_idle_is_tried_and_replaced(
    storage: Storage, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_S", 0.0)
    for engine in (storage.engine, storage.optuna.engine):
        with engine.connect() as connection:
            before = connection.scalar(text("SELECT pg_backend_pid()"))
        _cut(storage, postgres_server)
        with engine.connect() as connection:  # no error, although no caller retries
            assert connection.scalar(text("SELECT pg_backend_pid()")) != before


def test_one_that_was_used_just_now_is_not_tried(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "IDLE_S", 3600.0)
    asked = _pings(storage.engine)
    for _ in range(5):
        storage.read(lambda connection: connection.scalar(text("SELECT 1")))
    assert asked == []
    monkeypatch.setattr(engines, "IDLE_S", 0.0)
    storage.read(lambda connection: connection.scalar(text("SELECT 1")))
    assert asked == [1]


def test_who_meets_one_that_broke_just_now_tries_again_and_sees_no_error(
    storage: Storage, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_S", 3600.0)
    errors: list[str] = []
    storage.read(lambda connection: connection.scalar(text("SELECT 1")))
    event.listen(storage.engine, "handle_error", lambda context: errors.append(str(context.original_exception)))
    _cut(storage, postgres_server)
    for _ in range(3):  # any connection of the pool may come next
        assert storage.write(lambda connection: connection.scalar(text("SELECT 2"))) == 2
    assert errors
    assert all("terminat" in error for error in errors)


def test_a_worker_keeps_one_connection_for_all_its_threads_and_one_for_its_signs_of_life(storage: Storage) -> None:
    study = create_or_join(storage, study_spec(trials=8, sampler="tpe", pruner="median"), IDENTITY, FACTS)
    with WorkerSession(storage, study, "w", None) as session:
        run(session, at_most=4)
        session.beat()
        session.finished()
        mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert storage.read(lambda connection: connection.scalar(mine)) == engines.KEPT


def test_signs_of_life_wait_for_no_thread_that_uses_the_database(storage: Storage) -> None:
    with ExitStack() as busy:
        for _ in range(1 + engines.SHORT):
            busy.enter_context(storage.engine.connect())
        assert storage.beat(lambda connection: connection.scalar(text("SELECT 1"))) == 1


def test_a_thread_for_which_no_connection_becomes_free_meets_an_outage(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "POOL_WAIT_S", 0.1)
    with connect(postgres_server) as storage, ExitStack() as busy:
        for _ in range(1 + engines.SHORT):
            busy.enter_context(storage.engine.connect())
        with pytest.raises(StorageUnavailable, match="QueuePool limit"):
            storage.read(lambda connection: connection.scalar(text("SELECT 1")))


def test_another_listener_sees_what_a_connection_begins_with_and_may_change_it() -> None:
    """As programs do that put a token of the hour in the place of the password."""
    engine, seen = engines.writer(make_url("postgresql+psycopg://u@127.0.0.1:9/d?options=-csearch_path%3Dmine")), {}

    @event.listens_for(engine, "do_connect")
    def look(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        seen.update(parameters)
        parameters["port"] = 10

    with pytest.raises(OperationalError, match="port 10"):
        engine.connect()
    assert "-csearch_path=mine" in seen["options"]
    assert "lock_timeout" in seen["options"]
