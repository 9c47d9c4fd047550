"""Statements that both databases know, each in its own form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite


def replace(
    connection: Connection, table: Table, row: dict[str, Any], key: tuple[str, ...], kept: tuple[str, ...] = ()
) -> None:
    """Insert a row, or overwrite the row with the same ``key``, which is unique, but for its columns ``kept``."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(row), key, kept), row)  # quicker than a batch


def replace_all(connection: Connection, table: Table, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    """Insert or overwrite several rows with equal column names; see ``replace``."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0]), key), rows)


def replacing_where(found: CTE, is_so: ColumnElement[bool], table: Table, row: Keyed) -> CTE:
    """Return ``replace`` as a part of a larger statement, done only where ``found`` has a row that satisfies ``is_so``.

    This is for PostgreSQL only. The values are given when the statement is executed, by the names of ``named``.
    """
    values = [bindparam(name, type_=table.c[column].type) for column, name in row.names(table).items()]
    statement = postgresql.insert(table).from_select(list(row.columns), select(*values).select_from(found).where(is_so))
    changed = {name: statement.excluded[name] for name in row.columns if name not in row.key}
    return statement.on_conflict_do_update(index_elements=list(row.key), set_=changed).cte(f"into_{table.name}")


@dataclass(frozen=True)
class Keyed:
    """The columns of a row, and which of them are unique together."""

    columns: tuple[str, ...]
    key: tuple[str, ...]

    def names(self, table: Table) -> dict[str, str]:
        """Map each column to the name of its value in a statement on several tables."""
        return {column: f"{table.name}_{column}" for column in self.columns}

    def named(self, table: Table, row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[column] for column, name in self.names(table).items()}


@cache  # building it takes three times as long as the database takes to run it
def _upsert(
    dialect_name: str, table: Table, names: tuple[str, ...], key: tuple[str, ...], kept: tuple[str, ...] = ()
) -> Any:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    statement = dialect.insert(table).values({name: bindparam(name) for name in names})
    changed = {name: statement.excluded[name] for name in names if name not in (*key, *kept)}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)
