"""Optuna's own storage on the shared database, on our connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from hpo.study.database.failures import Failure

# At INFO, Optuna reports every study and trial on stderr; the commands print what a person should see.
optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_rdb(engine: Engine, *, create_tables: bool) -> RDBStorage:
    """Open Optuna's storage on the connections of ``engine``.

    Raises RuntimeError when its tables have another version (Optuna's check and text).
    """
    text = engine.url.render_as_string(hide_password=False)
    with database_errors():
        storage = RDBStorage(
            text.replace("{", "{{").replace("}", "}}"),  # Optuna uses the URL as a format template
            engine_kwargs={"creator": partial(_unpooled, engine), "poolclass": StaticPool},
            skip_table_creation=not create_tables,
        )
    storage.scoped_session.remove()
    storage.engine.dispose()  # Optuna makes an engine of its own; a second pool would double a worker's connections
    storage.engine = engine
    storage.scoped_session.configure(bind=engine)
    return storage


def _unpooled(engine: Engine) -> Any:
    """Return a connection of the driver that is made like those of ``engine`` and is not one of its pool."""
    connection = engine.raw_connection()
    connection.detach()
    return connection.dbapi_connection


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise the database's own error where Optuna wraps it, so that one place judges whether it is temporary."""
    try:
        yield
    except StorageInternalError as error:
        found = _behind(error)
        if found is None:
            raise
        raise found from error


def _behind(error: StorageInternalError) -> Failure | None:
    """Find the database's own error behind Optuna's.

    After an error Optuna tries some queries in another form. On a lost connection SQLAlchemy then reports a transaction
    that must be rolled back; the original loss is in that error's context.
    """
    cause: BaseException | None = error.__cause__
    while cause is not None and not isinstance(cause, (DBAPIError, PoolTimeout)):
        cause = cause.__cause__ or cause.__context__
    return cause
