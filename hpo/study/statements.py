"""Statements that both databases know, each in its own way."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite


def replace(connection: Connection, table: Table, row: dict[str, Any], key: tuple[str, ...]) -> None:
    """Inserts a row, or overwrites the one of the same ``key``, which is unique."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(row), key), row)


@cache  # building it costs three times what the database takes for it
def _upsert(dialect_name: str, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Any:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    statement = dialect.insert(table)
    statement = statement.values({name: bindparam(name) for name in names})
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)
