"""A sweep, a peak of memory, looks and verdicts in places of their own"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_A_BATCH = 500
"""Number of rows that are held in memory at once."""
_TRIALS = sa.table(
    "hpo_trials",
    sa.column("study_id", sa.Integer()),
    sa.column("number", sa.Integer()),
    sa.column("operating_point", sa.Text()),
    sa.column("sweep", sa.Text()),
)
_ATTEMPTS = sa.table(
    "hpo_attempts",
    sa.column("token", sa.String()),
    sa.column("effective", sa.Text()),
    sa.column("peak_mib", sa.Integer()),
)
_CHANGES = sa.table(
    "hpo_changes",
    *(sa.column(name) for name in ("id", "study_id", "by", "key")),
    sa.column("at", sa.DateTime()),
    sa.column("after", sa.Text()),
)
_LOOKS = sa.table(
    "hpo_looks",
    *(sa.column(name) for name in ("id", "study_id", "by", "split", "weights")),
    sa.column("at", sa.DateTime()),
)
_VERDICTS = sa.table(
    "hpo_verdicts",
    *(sa.column(name) for name in ("id", "study_id", "by")),
    sa.column("at", sa.DateTime()),
    sa.column("document", sa.Text()),
)


def upgrade() -> None:
    op.add_column("hpo_trials", sa.Column("sweep", sa.Text(), nullable=True, comment="all that a sweep found"))
    peak = sa.Column(
        "peak_mib", sa.Integer(), nullable=True, comment="most memory that was seen; null before any was reported"
    )
    op.add_column("hpo_attempts", peak)
    weights = sa.Column("weights", sa.String(length=64), nullable=True, comment="sha256 of those that were promoted")
    _create_noted("hpo_looks", sa.Column("split", sa.String(length=16), nullable=False), weights)
    _create_noted("hpo_verdicts", sa.Column("document", sa.Text(), nullable=False))
    _split_sweeps()
    _split_peaks()
    _move_looks()
    columns = ("study_id", "at", "by")
    noted = sa.select(*(_CHANGES.c[name] for name in (*columns, "after"))).where(_CHANGES.c.key == "verdict")
    op.execute(_VERDICTS.insert().from_select([*columns, "document"], noted.order_by(_CHANGES.c.id)))
    op.execute(_CHANGES.delete().where(_CHANGES.c.key.in_(("look", "verdict"))))


def _create_noted(name: str, *columns: sa.Column[Any]) -> None:
    """Create a table of events in a study, such as changes."""
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f(f"fk_{name}_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_study_id"), name, ["study_id"], unique=False)


def _split_sweeps() -> None:
    """Split ``{**point, "sweep": ...}`` into two columns."""
    mixed = _TRIALS.c.operating_point.contains('"sweep"')
    for rows in _batches(_TRIALS, ("study_id", "number"), mixed):
        changed = []
        for row in rows:
            point = json.loads(row.operating_point)
            sweep = point.pop("sweep", None)
            if sweep is not None:
                key = {"of_study_id": row.study_id, "of_number": row.number}
                changed.append({**key, "operating_point": json.dumps(point), "sweep": json.dumps(sweep)})
        _update(_TRIALS, ("study_id", "number"), changed)


def _split_peaks() -> None:
    """Move ``peak_mib`` out of ``effective``, which holds what was trained."""
    mixed = _ATTEMPTS.c.effective.contains('"peak_mib"')
    for rows in _batches(_ATTEMPTS, ("token",), mixed):
        changed = []
        for row in rows:
            effective = json.loads(row.effective)
            peak = effective.pop("peak_mib", None)
            if peak is not None:
                known = {"effective": json.dumps(effective), "peak_mib": round(peak)}
                changed.append({"of_token": row.token, **known})
        _update(_ATTEMPTS, ("token",), changed)


def _move_looks() -> None:
    for rows in _batches(_CHANGES, ("id",), _CHANGES.c.key == "look"):
        looks = [
            {
                "study_id": row.study_id,
                "at": row.at,
                "by": row.by,
                "split": look["split"],
                "weights": look.get("weights"),
            }
            for row, look in ((row, json.loads(row.after)) for row in rows)
        ]
        op.get_bind().execute(_LOOKS.insert(), looks)


def _batches(
    table: sa.TableClause, key: tuple[str, ...], which: sa.ColumnElement[bool]
) -> Iterator[Sequence[sa.Row[Any]]]:
    """Return the rows in the order of their key, a few at a time, however many the table has."""
    columns = [table.c[name] for name in key]
    ordered = sa.select(*table.c).where(which).order_by(*columns).limit(_A_BATCH)
    rows = op.get_bind().execute(ordered).all()
    while rows:
        yield rows
        last = tuple(getattr(rows[-1], name) for name in key)
        rows = op.get_bind().execute(ordered.where(sa.tuple_(*columns) > sa.tuple_(*last))).all()


def _update(table: sa.TableClause, key: tuple[str, ...], changed: list[dict[str, Any]]) -> None:
    if not changed:
        return
    mine = sa.and_(*(table.c[name] == sa.bindparam(f"of_{name}") for name in key))
    op.get_bind().execute(sa.update(table).where(mine), changed)


def downgrade() -> None:
    _join_columns()
    for row in op.get_bind().execute(sa.select(*_LOOKS.c).order_by(_LOOKS.c.id)).all():
        weights = {} if row.weights is None else {"weights": row.weights}
        _note(row, "look", json.dumps({"split": row.split, **weights}))
    for row in op.get_bind().execute(sa.select(*_VERDICTS.c).order_by(_VERDICTS.c.id)).all():
        _note(row, "verdict", row.document)
    for name in ("hpo_verdicts", "hpo_looks"):
        op.drop_index(op.f(f"ix_{name}_study_id"), table_name=name)
        op.drop_table(name)
    op.drop_column("hpo_attempts", "peak_mib")
    op.drop_column("hpo_trials", "sweep")


def _join_columns() -> None:
    for rows in _batches(_TRIALS, ("study_id", "number"), _TRIALS.c.sweep.is_not(None)):
        joined = [
            {
                "of_study_id": row.study_id,
                "of_number": row.number,
                "operating_point": json.dumps({**json.loads(row.operating_point), "sweep": json.loads(row.sweep)}),
            }
            for row in rows
        ]
        _update(_TRIALS, ("study_id", "number"), joined)
    for rows in _batches(_ATTEMPTS, ("token",), _ATTEMPTS.c.peak_mib.is_not(None)):
        known = [
            {
                "of_token": row.token,
                "effective": json.dumps({**json.loads(row.effective), "peak_mib": row.peak_mib}),
            }
            for row in rows
        ]
        _update(_ATTEMPTS, ("token",), known)


def _note(row: sa.Row[Any], key: str, after: str) -> None:
    noted = {"study_id": row.study_id, "at": row.at, "by": row.by, "key": key, "after": after}
    op.get_bind().execute(_CHANGES.insert().values(noted))
