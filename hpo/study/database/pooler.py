"""Connections through a pooler such as PgBouncer in transaction mode, where a session lasts for one transaction.

Settings that a connection begins with, prepared statements and session locks need a session of their own. Through a
pooler the time limits and the search path belong to the role, no statement is prepared, and whatever takes a session
lock asks for PostgreSQL's own address.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, bindparam, event, func, select, true
from sqlalchemy.engine import Dialect

from hpo.errors import UsageError
from hpo.study.database import failures, logins, node_keys

_NO_OPTIONS = ("unsupported startup parameter", "command-line options")
"""Parts of the messages with which PgBouncer and RDS Proxy refuse ``options``."""
_KEY = "pooled"
_SET = select(func.set_config(bindparam("name"), bindparam("key"), true()))


def connect_through(engine: Engine, key: str = "") -> None:
    """Let ``engine`` connect to PostgreSQL itself and through a pooler, as it finds out. ``key`` is the node's."""
    connect = partial(_connect, engine.url)

    def after_others(dialect: Dialect, record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        """Connect once those have had their say that listen too: a listener that connects is the last one called."""
        for other in dialect.dispatch.do_connect:
            made = None if other is after_others else other(dialect, record, arguments, parameters)
            if made is not None:
                return made
        return connect(dialect, record, arguments, parameters)

    def on_begin(connection: Connection) -> None:
        if is_between(connection) and connection.get_execution_options().get("isolation_level") != "REPEATABLE READ":
            connection.execute(_SET, {"name": node_keys.SETTING, "key": key})

    event.listen(engine, "do_connect", after_others)
    if key:
        event.listen(engine, "begin", on_begin)


def is_between(connection: Connection) -> bool:
    """Return whether a pooler answers in the place of PostgreSQL."""
    return bool(connection.info.get(_KEY))


def needs_direct(url: URL) -> str:
    """Return the message for what can't be done through a pooler."""
    role, name = url.username or "OWNER", url.database or "NAME"
    return (
        f"{failures.shown(url)}: a pooler such as PgBouncer answers here, and tables and roles "
        "are made and upgraded under a session's lock: name PostgreSQL's own address for this one command: "
        f"HPO_STORAGE=postgresql://{role}@HOST:5432/{name} hpo db init (or hpo db upgrade)"
    )


def _connect(url: URL, dialect: Dialect, record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
    try:
        connection = logins.connect(url, dialect, arguments, parameters)
        is_pooled = _answers_for_another(connection)
    except dialect.loaded_dbapi.Error as error:
        if not any(sign in str(error) for sign in _NO_OPTIONS):
            raise
        connection = dialect.connect(*arguments, **parameters | {"options": ""})
        is_pooled = True
    record.info[_KEY] = is_pooled
    if is_pooled:
        connection.prepare_threshold = None  # the next transaction may run on another server process
        _refuse_options(url, connection)
    return connection


def _answers_for_another(connection: Any) -> bool:
    """Return whether the process that answers is another one than greeted us: poolers make up the number at login."""
    try:
        connection.autocommit = True
        answering = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        connection.autocommit = False
    except Exception:
        connection.close()
        raise
    return bool(answering != connection.info.backend_pid)


def _refuse_options(url: URL, connection: Any) -> None:
    if not url.query.get("options"):
        return
    connection.close()
    raise UsageError(
        f"{failures.shown(url)}: a pooler such as PgBouncer answers here and passes no `options` "
        "on: leave them out of HPO_STORAGE and set them for the role: "
        f"ALTER ROLE {url.username} IN DATABASE {url.database} SET search_path = ..."
    )
