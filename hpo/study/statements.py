"""Statements that both databases know, each in its own way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def replace(connection: Connection, table: Table, row: dict[str, Any], key: tuple[str, ...]) -> None:
    """Inserts a row, or overwrites the one of the same ``key``, which is unique."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(row)
    changed = {name: statement.excluded[name] for name in row if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))
