"""SQLAlchemy engines with the settings that several processes on one database need."""

from __future__ import annotations

import math
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

SQLITE_BUSY_S = 30
"""How long a SQLite connection waits for another one's lock."""

IDLE_S = 5.0
"""A connection that was not used for so long is tried before its next use. One that was used just now is not: asking
each time would be a sixth of what a database does for a trial, and who meets a broken one tries again anyway."""

LEASE_S = 60.0
"""Time limits of connections follow the lease; this one where no study says otherwise."""


def options(url: URL, lease_s: float = LEASE_S) -> dict[str, Any]:
    """Keyword arguments of ``create_engine`` for this database."""
    if is_sqlite(url):
        return {"connect_args": {"timeout": SQLITE_BUSY_S}}
    return {
        "pool_size": 2,
        "max_overflow": 8,
        "pool_recycle": 1800,
        "connect_args": _postgres_arguments(lease_s),
    }


def _postgres_arguments(lease_s: float) -> dict[str, Any]:
    """A dead connection is seen within half a lease or so, and who is stopped within a transaction blocks others for
    half a lease at most. libpq counts in whole seconds and takes no connect_timeout below two.
    """
    half_s = max(2, round(lease_s / 2))
    limits_ms = {
        "lock_timeout": round(1000 * min(10.0, max(2.0, lease_s))),
        "statement_timeout": 60_000,
        "idle_in_transaction_session_timeout": 1000 * half_s,
    }
    return {
        "connect_timeout": min(5, half_s),
        "keepalives": 1,
        "keepalives_idle": max(1, min(30, round(lease_s / 4))),
        "keepalives_interval": max(1, min(10, round(lease_s / 8))),
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * half_s,
        "options": "-c timezone=UTC " + " ".join(f"-c {name}={value}" for name, value in limits_ms.items()),
    }


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def writer(url: URL, lease_s: float = LEASE_S) -> Engine:
    engine = create_engine(url, **options(url, lease_s))
    hook(engine, begin="BEGIN IMMEDIATE")
    return engine


def reader(writer: Engine) -> Engine:
    """Each transaction sees one snapshot; on SQLite it takes no lock, so that reading never blocks a run. On
    PostgreSQL it shares the writer's connections.
    """
    if not is_sqlite(writer.url):
        return writer.execution_options(isolation_level="REPEATABLE READ")
    engine = create_engine(writer.url, **options(writer.url))
    hook(engine, begin="BEGIN")
    return engine


def single(writer: Engine) -> Engine:
    """For what is one statement on PostgreSQL, which commits it by itself: two messages less. On SQLite ``writer``."""
    return writer if is_sqlite(writer.url) else writer.execution_options(isolation_level="AUTOCOMMIT")


def hook(engine: Engine, *, begin: str) -> None:
    """``begin``: how a transaction begins on SQLite."""
    if is_sqlite(engine.url):
        _hook_sqlite(engine, begin)
    else:
        _try_idle_connections(engine)


def _try_idle_connections(engine: Engine) -> None:
    """A server that was restarted costs no error, as with ``pool_pre_ping``, but for who is in the middle of work."""

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
    engine.dispose()  # connections that were opened before the hooks


def _hook_sqlite(engine: Engine, begin: str) -> None:
    """WAL, and an explicit BEGIN.

    Without BEGIN IMMEDIATE a transaction that reads and then writes can fail at once with "database is locked" however
    long the busy timeout is, and two processes can claim the same row (both seen with Optuna's own statements).
    ``synchronous=NORMAL`` in WAL may lose the last commits on a power cut, none on a crash of the process.
    """

    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_S * 1000}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    engine.dispose()  # connections that were opened before the hooks
