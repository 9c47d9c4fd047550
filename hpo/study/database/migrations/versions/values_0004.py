"""A sweep, a peak of memory, looks and verdicts in places of their own"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from hpo.study.database.migrations.versions.initial_0001 import create_numbered, drop_numbered

revision = "0004"
down_revision = "0003"

_A_BATCH = 500
"""Number of rows that are held in memory at once."""


def _table(name: str, **columns: Any) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, kind) for column, kind in columns.items()))


_EVENT: dict[str, Any] = {"study_id": sa.Integer(), "by": sa.String(), "at": sa.DateTime()}
_CHANGES = _table("hpo_changes", id=sa.Integer(), **_EVENT, key=sa.String(), after=sa.Text())
_LOOKS = _table("hpo_looks", id=sa.Integer(), **_EVENT, split=sa.String(), weights=sa.String())
_VERDICTS = _table("hpo_verdicts", id=sa.Integer(), **_EVENT, document=sa.Text())
_TRIALS = _table("hpo_trials", study_id=sa.Integer(), number=sa.Integer(), operating_point=sa.Text(), sweep=sa.Text())
_ATTEMPTS = _table("hpo_attempts", token=sa.String(), effective=sa.Text(), peak_mib=sa.Integer())
_KEYS = {_TRIALS: ("study_id", "number"), _ATTEMPTS: ("token",), _CHANGES: ("id",)}
"""Columns that are unique together, by table."""


def upgrade() -> None:
    peak = "most memory that was seen; null before any was reported"
    op.add_column("hpo_trials", sa.Column("sweep", sa.Text(), comment="all that a sweep found"))
    op.add_column("hpo_attempts", sa.Column("peak_mib", sa.Integer(), comment=peak))
    weights = sa.Column("weights", sa.String(64), comment="sha256 of those that were promoted")
    _create_noted("hpo_looks", sa.Column("split", sa.String(16), nullable=False), weights)
    _create_noted("hpo_verdicts", sa.Column("document", sa.Text(), nullable=False))
    _split(_TRIALS, "operating_point", "sweep", json.dumps)
    _split(_ATTEMPTS, "effective", "peak_mib", round)
    _move_looks()
    noted = sa.select(*(_CHANGES.c[name] for name in (*_EVENT, "after"))).where(_CHANGES.c.key == "verdict")
    op.execute(_VERDICTS.insert().from_select([*_EVENT, "document"], noted.order_by(_CHANGES.c.id)))
    op.execute(_CHANGES.delete().where(_CHANGES.c.key.in_(("look", "verdict"))))


def _create_noted(name: str, *columns: sa.Column[Any]) -> None:
    """Create a table of events in a study, such as changes."""
    at, by = sa.Column("at", sa.DateTime(), nullable=False), sa.Column("by", sa.String(255), nullable=False)
    create_numbered(name, at, by, *columns)


def _split(table: sa.TableClause, mixed: str, name: str, write: Callable[[Any], Any]) -> None:
    """Move the value ``name`` out of the JSON object in the column ``mixed`` into a column of its own."""
    for rows in _batches(table, table.c[mixed].contains(f'"{name}"')):
        changed = []
        for row in rows:
            values = json.loads(row[mixed])
            value = values.pop(name, None)
            if value is not None:
                changed.append({**_key(table, row), mixed: json.dumps(values), name: write(value)})
        _update(table, changed)


def _move_looks() -> None:
    for rows in _batches(_CHANGES, _CHANGES.c.key == "look"):
        found = [({name: row[name] for name in _EVENT}, json.loads(row["after"])) for row in rows]
        looks = [{**event, "split": look["split"], "weights": look.get("weights")} for event, look in found]
        op.get_bind().execute(_LOOKS.insert(), looks)


def _batches(table: sa.TableClause, which: sa.ColumnElement[bool]) -> Iterator[Sequence[sa.RowMapping]]:
    """Return the rows in the order of their key, a few at a time, however many the table has."""
    columns = [table.c[name] for name in _KEYS[table]]
    ordered = sa.select(*table.c).where(which).order_by(*columns).limit(_A_BATCH)
    rows = op.get_bind().execute(ordered).mappings().all()
    while rows:
        yield rows
        last = [rows[-1][column] for column in columns]
        rows = op.get_bind().execute(ordered.where(sa.tuple_(*columns) > sa.tuple_(*last))).mappings().all()


def _key(table: sa.TableClause, row: sa.RowMapping) -> dict[str, Any]:
    return {f"of_{name}": row[name] for name in _KEYS[table]}


def _update(table: sa.TableClause, changed: list[dict[str, Any]]) -> None:
    if not changed:
        return
    mine = sa.and_(*(table.c[name] == sa.bindparam(f"of_{name}") for name in _KEYS[table]))
    op.get_bind().execute(sa.update(table).where(mine), changed)


def downgrade() -> None:
    _join(_TRIALS, "operating_point", "sweep", json.loads)
    _join(_ATTEMPTS, "effective", "peak_mib", int)
    for row in op.get_bind().execute(sa.select(*_LOOKS.c).order_by(_LOOKS.c.id)).all():
        weights = {} if row.weights is None else {"weights": row.weights}
        _note(row, "look", json.dumps({"split": row.split, **weights}))
    for row in op.get_bind().execute(sa.select(*_VERDICTS.c).order_by(_VERDICTS.c.id)).all():
        _note(row, "verdict", row.document)
    for name in ("hpo_verdicts", "hpo_looks"):
        drop_numbered(name)
    op.drop_column("hpo_attempts", "peak_mib")
    op.drop_column("hpo_trials", "sweep")


def _join(table: sa.TableClause, mixed: str, name: str, read: Callable[[Any], Any]) -> None:
    for rows in _batches(table, table.c[name].is_not(None)):
        joined = [
            {**_key(table, row), mixed: json.dumps({**json.loads(row[mixed]), name: read(row[name])})} for row in rows
        ]
        _update(table, joined)


def _note(row: sa.Row[Any], key: str, after: str) -> None:
    noted = {"study_id": row.study_id, "at": row.at, "by": row.by, "key": key, "after": after}
    op.get_bind().execute(_CHANGES.insert().values(noted))
