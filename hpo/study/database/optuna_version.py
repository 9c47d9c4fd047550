"""The check that the installed Optuna and its tables are those that this service reads and writes directly."""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib import metadata

from sqlalchemy import Connection, text

from hpo.study.database.optuna_tables import COLUMNS

SUPPORTED = "5.0"
"""Releases of Optuna with these tables and private names; pyproject.toml pins the same."""
_SQLITE = text("SELECT t.value, c.name FROM json_each(:tables) AS t JOIN pragma_table_info(t.value) AS c")
_POSTGRESQL = text(
    "SELECT c.relname, a.attname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid "
    "WHERE c.relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(c.oid) AND a.attnum > 0 AND NOT a.attisdropped "
    "AND c.relname = ANY(:tables)"
)


@cache
def wrong_release() -> str | None:
    """Describe what is wrong with the installed Optuna, and the way out; None where nothing is."""
    loaded = sys.modules.get("optuna")
    installed = str(loaded.__version__) if loaded is not None else metadata.version("optuna")
    if installed.startswith(f"{SUPPORTED}."):
        return None
    return (
        f"Optuna {installed} is installed, and this hpo reads and writes the tables of Optuna {SUPPORTED}: "
        f"pip install 'optuna=={SUPPORTED}.*', or update hpo"
    )


def wrong_columns(connection: Connection) -> str | None:
    """Describe what is wrong with Optuna's tables in this database, and the way out; None where nothing is."""
    stored = _stored(connection)
    needed = {(table, column) for table, columns in COLUMNS.items() for column in columns}
    lacking = [f"{table}.{column}" for table, column in sorted(needed - stored)]
    if not lacking:
        return None
    return (
        f"Optuna's tables lack {', '.join(lacking)}, so they are not those of Optuna {SUPPORTED}: restore the "
        "backup from before they were changed, or name another database with HPO_STORAGE"
    )


def _stored(connection: Connection) -> set[tuple[str, str]]:
    """Return the columns of the database's tables, each with its table."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(_SQLITE, {"tables": json.dumps(list(COLUMNS))})
    else:
        rows = connection.execute(_POSTGRESQL, {"tables": list(COLUMNS)})
    return {(table, column) for table, column in rows}
