"""The creation and upgrade of tables: Optuna's by Optuna, ours by alembic, one process at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from filelock import FileLock
from sqlalchemy import Connection, Engine, text
from sqlalchemy.schema import CreateSchema

from hpo.errors import UsageError
from hpo.study.database import engines, pooler
from hpo.study.database.optuna_storage import open_rdb
from hpo.study.database.optuna_tables import COLUMNS
from hpo.study.database.tables import SCHEMA_VERSION, VERSION_TABLE, stored_version

_LOCK_KEY = 0x68706F  # "hpo"


def upgrade(engine: Engine) -> None:
    """Upgrade an empty or older database to this version. Several processes may do it at once.

    Raises RuntimeError when Optuna's tables have another version; its text has the way out.
    """
    with one_at_a_time(engine):
        with engine.connect() as connection:
            if stored_version(connection) == SCHEMA_VERSION:
                return
        open_rdb(engine, create_tables=True)
        with engine.begin() as connection:
            migrate(connection)


_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
"""A schema's name in a search path, quoted or plain."""
_FOREIGN = text(
    "SELECT n.nspname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE pg_catalog.pg_table_is_visible(c.oid) AND n.nspname <> current_schema() AND c.relname = ANY(:tables) LIMIT 1"
)


def ensure_schema(engine: Engine) -> None:
    """Create the first schema of the URL's search path where it is missing; else the tables would land in the next one.

    Raises UsageError if the path leads to the same tables in another schema: those would be used instead.
    """
    if not any("search_path" in options for options in engine.url.normalized_query.get("options", ())):
        return
    with engine.begin() as connection:
        is_missing = _missing(connection) is not None
    # a worker's role may not take the lock, and has nothing to make
    with one_at_a_time(engine) if is_missing else nullcontext(), engine.begin() as connection:
        wanted = _missing(connection)
        if wanted is not None:
            connection.execute(CreateSchema(wanted))
            connection.dialect.default_schema_name = wanted  # SQLAlchemy had asked for it before
        _refuse_foreign(connection)


def _missing(connection: Connection) -> str | None:
    """Return the schema that the search path names first, if it is not there."""
    user, current = connection.execute(text("SELECT current_user, current_schema()")).one()
    wanted = next((name for name in _path(connection)[1] if name != "$user"), None)
    return None if wanted is None or current in (wanted, user) else wanted


def _path(connection: Connection) -> tuple[str, list[str]]:
    """Return the search path, and the names in it."""
    path = str(connection.scalar(text("SELECT current_setting('search_path')")))
    return path, [quoted.replace('""', '"') or plain.lower() for quoted, plain in _NAME.findall(path)]


def _refuse_foreign(connection: Connection) -> None:
    path, named = _path(connection)
    wanted = next((name for name in named if name != "$user"), None)
    tables = [*COLUMNS, "alembic_version", "version_info", VERSION_TABLE]
    foreign = connection.scalar(_FOREIGN, {"tables": tables})
    if foreign is not None:
        raise UsageError(
            f"HPO_STORAGE: search_path={path}: schema {foreign} holds tables of the same names, which "
            f"would be taken for those of this study: name one schema alone, as in ?options=-csearch_path%3D{wanted}"
        )


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
        if pooler.is_between(connection):
            raise UsageError(pooler.needs_direct(engine.url))
        # A process that waits here waits for another process's CREATE TABLEs; lock_timeout must not end that.
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
            connection.invalidate()  # its lock_timeout differs from the pool's
