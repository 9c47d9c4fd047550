"""SQLAlchemy engines with the settings that several processes on one database need."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

SQLITE_BUSY_S = 30
"""How long a SQLite connection waits for another one's lock."""

_POSTGRES_OPTIONS = {
    "pool_pre_ping": True,  # a restarted server costs no error (Optuna sets it for MySQL alone)
    "pool_size": 2,
    "max_overflow": 2,
    "pool_recycle": 1800,
    "connect_args": {
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s"
        " -c idle_in_transaction_session_timeout=60s",
    },
}


def options(url: URL) -> dict[str, Any]:
    """Keyword arguments of ``create_engine`` for this database."""
    if is_sqlite(url):
        return {"connect_args": {"timeout": SQLITE_BUSY_S}}
    return _POSTGRES_OPTIONS


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def writer(url: URL) -> Engine:
    engine = create_engine(url, **options(url))
    hook_sqlite(engine, begin="BEGIN IMMEDIATE")
    return engine


def reader(url: URL) -> Engine:
    """Each transaction sees one snapshot; on SQLite it takes no lock, so that reading never blocks a run."""
    engine = create_engine(url, **options(url))
    hook_sqlite(engine, begin="BEGIN")
    return engine


def hook_sqlite(engine: Engine, *, begin: str) -> None:
    """WAL, and an explicit BEGIN.

    Without BEGIN IMMEDIATE a transaction that reads and then writes can fail at once with "database is locked" however
    long the busy timeout is, and two processes can claim the same row (both seen with Optuna's own statements).
    ``synchronous=NORMAL`` in WAL may lose the last commits on a power cut, none on a crash of the process.
    """
    if not is_sqlite(engine.url):
        return

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
