"""Statements that both databases know, each in its own way."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite


def replace(connection: Connection, table: Table, row: dict[str, Any], key: tuple[str, ...]) -> None:
    """Inserts a row, or overwrites the one of the same ``key``, which is unique."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(row), key), row)  # a batch of one takes longer


def replace_all(connection: Connection, table: Table, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    """The same for several rows with equal names."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0]), key), rows)


@cache  # building it costs three times what the database takes for it
def _upsert(dialect_name: str, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Any:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    statement = dialect.insert(table)
    statement = statement.values({name: bindparam(name) for name in names})
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)
