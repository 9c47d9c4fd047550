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

# Optuna tells every study and trial on stderr at INFO; what a person should see is printed by the commands.
optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_rdb(url: URL, *, create_tables: bool, lease_s: float = engines.LEASE_S) -> RDBStorage:
    """Raises RuntimeError when Optuna's tables are of another version (its own check; its text has the way out)."""
    text = url.render_as_string(hide_password=False)
    with database_errors():
        storage = RDBStorage(
            text.replace("{", "{{").replace("}", "}}"),  # Optuna fills the URL in as a format template
            engine_kwargs=engines.options(url, lease_s),
            skip_table_creation=not create_tables,
        )
    engines.hook(storage.engine, begin="BEGIN IMMEDIATE")
    return storage


@contextmanager
def database_errors() -> Iterator[None]:
    """Lets the database's own error out where Optuna wraps it, so that one place judges whether it may pass."""
    try:
        yield
    except StorageInternalError as error:
        found = _behind(error)
        if found is None:
            raise
        raise found from error


def _behind(error: StorageInternalError) -> DBAPIError | None:
    """Optuna tries some queries in another form after an error; on a lost connection SQLAlchemy then speaks of a
    transaction that must be rolled back, and the loss is what that was raised in the handling of.
    """
    cause: BaseException | None = error.__cause__
    while cause is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__ or cause.__context__
    return cause
