"""Optuna's own storage on the shared database, with our connection settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from hpo.study.database import engines

# At INFO, Optuna reports every study and trial on stderr; the commands print what a person should see.
optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_rdb(url: URL, *, create_tables: bool, lease_s: float = engines.LEASE_S) -> RDBStorage:
    """Open Optuna's storage. Raises RuntimeError when its tables have another version (Optuna's check and text)."""
    text = url.render_as_string(hide_password=False)
    with database_errors():
        storage = RDBStorage(
            text.replace("{", "{{").replace("}", "}}"),  # Optuna uses the URL as a format template
            engine_kwargs=engines.options(url, lease_s),
            skip_table_creation=not create_tables,
        )
    engines.hook(storage.engine, begin="BEGIN IMMEDIATE")
    return storage


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


def _behind(error: StorageInternalError) -> DBAPIError | None:
    """Find the database's own error behind Optuna's.

    After an error Optuna tries some queries in another form. On a lost connection SQLAlchemy then reports a transaction
    that must be rolled back; the original loss is in that error's context.
    """
    cause: BaseException | None = error.__cause__
    while cause is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__ or cause.__context__
    return cause
