"""The creation and upgrade of tables: Optuna's by Optuna, ours by alembic, one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from filelock import FileLock
from sqlalchemy import Connection, Engine, text

from hpo.study.database import engines
from hpo.study.database.optuna_storage import open_rdb
from hpo.study.database.tables import SCHEMA_VERSION, stored_version

_LOCK_KEY = 0x68706F  # "hpo"


def upgrade(engine: Engine) -> None:
    """Upgrade an empty or older database to this version. Several processes may do it at once.

    Raises RuntimeError when Optuna's tables have another version; its text has the way out.
    """
    with one_at_a_time(engine):
        with engine.connect() as connection:
            if stored_version(connection) == SCHEMA_VERSION:
                return
        open_rdb(engine.url, create_tables=True).engine.dispose()
        with engine.begin() as connection:
            migrate(connection)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Migrate only our own tables, within the caller's transaction."""
    command.upgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """Hold the lock that every process takes to change tables or rights."""
    if engines.is_sqlite(engine.url):
        with FileLock(f"{engine.url.database}.lock"):
            yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # A process that waits here waits for another process's CREATE TABLEs; lock_timeout must not end that.
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
            connection.invalidate()  # its lock_timeout differs from the pool's
