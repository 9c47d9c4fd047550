"""A database that can't be opened: what passes is waited for, what does not is said at once."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import create_engine, make_url, text

from hpo.errors import StorageUnavailable
from hpo.head.postgres import OWNER
from hpo.orchestration.patience import Patience
from hpo.orchestration.stop import StopRequest
from hpo.study.database.storage import connect, version_at
from tests.head.conftest import Server
from tests.soak.proxy import Proxy

ROLE = "crowded"
PASSWORD = "crowded-pass"  # noqa: S105


def execute(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(
    ("user", "password", "name", "said"),
    [
        (OWNER, "wrong", "postgres", "password authentication failed"),
        ("nobody_here", "any", "postgres", "password authentication failed"),
        (OWNER, None, "not_there", "does not exist"),
    ],
)
def test_a_wrong_password_and_a_missing_database_are_said_at_once(
    server: Server, user: str, password: str | None, name: str, said: str
) -> None:
    url = server.url(name, user) if password is None else server.url(name, user, password)
    with pytest.raises(StorageUnavailable, match=rf"{said}.*right user, password and database") as caught:
        Patience(600, 600, StopRequest()).begin(lambda: version_at(url))
    assert caught.value.exit_code == 4


def test_a_server_that_is_full_is_waited_for(server: Server, database: str) -> None:
    execute(server.url(database), f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 0")
    execute(server.url(database), f"GRANT CONNECT ON DATABASE {database} TO {ROLE}")
    url = server.url(database, ROLE, PASSWORD)
    with pytest.raises(StorageUnavailable, match="too many connections") as caught:
        version_at(url)
    assert not caught.value.lasting
    widened = f"ALTER ROLE {ROLE} CONNECTION LIMIT 5"
    threading.Timer(1.0, execute, (server.url(database), widened)).start()
    assert Patience(60, 60, StopRequest()).begin(lambda: version_at(url)) is None


def test_a_server_that_refuses_connections_is_waited_for(server: Server, database: str) -> None:
    with Proxy(server.port) as proxy:
        proxy.cut()
        url = make_url(server.url(database)).set(port=proxy.port).render_as_string(hide_password=False)
        threading.Timer(1.0, proxy.mend).start()
        with connect(url) as storage:
            call = Patience(60, 60, StopRequest()).begin
            assert call(lambda: storage.read(lambda connection: connection.scalar(text("SELECT 1")))) == 1
