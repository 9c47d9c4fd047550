"""SQLAlchemy engines with the settings that several processes on one database need."""

from __future__ import annotations

import math
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from hpo.study.database import failures, node_keys, pooler

SQLITE_BUSY_S = 30
"""Seconds that a SQLite connection waits for another one's lock."""

IDLE_S = 5.0
"""Seconds after which an idle connection is tested before its next use.

A connection that was just used is not tested: a test each time would be a sixth of the database's work for a trial, and
a call on a broken connection is repeated anyway.
"""

KEPT = 2
"""Connections to PostgreSQL that a worker keeps: one for all its threads, and one for its signs of life."""

SHORT = 2
"""Connections that a process may open beside those; they are closed after use."""

POOL_WAIT_S = 30.0
"""Seconds that a thread waits for another thread's connection."""

LEASE_S = 60.0
"""Length of a lease in seconds where no study states another. The time limits of connections follow it."""


def options(url: URL, lease_s: float = LEASE_S, key: str = "") -> dict[str, Any]:
    """Return the keyword arguments of ``create_engine`` for this database; ``key`` is the node's (``node_keys``).

    On PostgreSQL all threads of a process share one connection, since a server has few: each is a process there.
    """
    if is_sqlite(url):
        return {"connect_args": {"timeout": SQLITE_BUSY_S}}
    pool = {"pool_size": 1, "max_overflow": SHORT, "pool_timeout": POOL_WAIT_S, "pool_recycle": 1800}
    return pool | {"connect_args": _postgres_arguments(url, lease_s, key)}


def limits(lease_s: float = LEASE_S) -> dict[str, int]:
    """Return PostgreSQL's time limits of a session, in milliseconds, by the names of its settings.

    A process that stops inside a transaction blocks others for half a lease at most.
    """
    return {
        "lock_timeout": round(1000 * min(10.0, max(2.0, lease_s))),
        "statement_timeout": 60_000,
        "idle_in_transaction_session_timeout": 1000 * _half_s(lease_s),
    }


def _half_s(lease_s: float) -> int:
    """Return half a lease; libpq counts in whole seconds and takes no connect_timeout below two."""
    return max(2, round(lease_s / 2))


def _postgres_arguments(url: URL, lease_s: float, key: str) -> dict[str, Any]:
    """Return the connection settings of PostgreSQL, without those that the URL has itself.

    The URL's ``options`` join ours and win, but for the time zone: times are stored without one. A dead connection is
    noticed within about half a lease.
    """
    ours = {
        "connect_timeout": min(5, _half_s(lease_s)),
        "keepalives": 1,
        "keepalives_idle": max(1, min(30, round(lease_s / 4))),
        "keepalives_interval": max(1, min(10, round(lease_s / 8))),
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * _half_s(lease_s),
    }
    known = limits(lease_s) | ({node_keys.SETTING: key} if key else {})
    settings = (f"-c {name}={value}" for name, value in known.items())
    options = " ".join([*settings, *url.normalized_query.get("options", ()), "-c timezone=UTC"])
    return {name: value for name, value in ours.items() if name not in url.query} | {"options": options}


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def writer(url: URL, lease_s: float = LEASE_S, key: str = "") -> Engine:
    engine = create_engine(url, **options(url, lease_s, key))
    hook(engine, begin="BEGIN IMMEDIATE", key=key)
    return engine


def reader(writer: Engine) -> Engine:
    """Return an engine with one snapshot for each transaction.

    On SQLite its transactions take no lock, so that reading never blocks a run. On PostgreSQL it shares the writer's
    connections.
    """
    if not is_sqlite(writer.url):
        return writer.execution_options(isolation_level="REPEATABLE READ")
    engine = create_engine(writer.url, **options(writer.url))
    hook(engine, begin="BEGIN")
    return engine


def for_beats(writer: Engine, lease_s: float, key: str = "") -> Engine:
    """Return an engine that keeps one connection for signs of life: they never wait for it, however full a server is.

    On SQLite this is ``writer``.
    """
    if is_sqlite(writer.url):
        return writer
    engine = create_engine(writer.url, **options(writer.url, lease_s, key) | {"max_overflow": 0})
    hook(engine, begin="BEGIN IMMEDIATE", key=key)
    return engine


def single(writer: Engine) -> Engine:
    """Return an engine for single statements, which saves two messages on PostgreSQL; on SQLite ``writer``."""
    return writer if is_sqlite(writer.url) else writer.execution_options(isolation_level="AUTOCOMMIT")


def hook(engine: Engine, *, begin: str, key: str = "") -> None:
    """Set up transactions. ``begin`` is the statement that begins one on SQLite, ``key`` the node's."""
    if is_sqlite(engine.url):
        _hook_sqlite(engine, begin)
    else:
        _try_idle_connections(engine)
        pooler.connect_through(engine, key)
        event.listen(engine, "handle_error", failures.leave_read_only)
    engine.dispose()  # drops connections that were opened before the hooks


def _try_idle_connections(engine: Engine) -> None:
    """Test idle connections before use, so that a restarted server causes no error.

    This is like ``pool_pre_ping``, but connections in use are not tested.
    """

    def on_checkin(_connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    def on_checkout(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("idle_since", math.inf) < IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the connection was lost while idle") from error  # the pool opens new ones

    event.listen(engine, "checkin", on_checkin)
    event.listen(engine, "checkout", on_checkout)


def _hook_sqlite(engine: Engine, begin: str) -> None:
    """Set WAL, and begin transactions with an explicit BEGIN.

    Without BEGIN IMMEDIATE a transaction that reads and then writes can fail at once with "database is locked", however
    long the busy timeout is, and two processes can claim the same row (both seen with Optuna's own statements).
    ``synchronous=NORMAL`` in WAL may lose the last commits in a power cut, but none when the process crashes.
    """

    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        busy = f"busy_timeout={SQLITE_BUSY_S * 1000}"
        for setting in (busy, "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
