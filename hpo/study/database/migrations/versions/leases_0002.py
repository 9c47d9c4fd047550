"""Leases, controls, budgets that can be changed, slots"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from hpo.study.database.migrations.versions.initial_0001 import create_numbered, drop_numbered

revision = "0002"
down_revision = "0001"


def _added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "hpo_studies": [
            sa.Column("budget_trials", sa.Integer(), comment="as in spec, to be counted against without reading it"),
            sa.Column("budget_hours", sa.Float(53)),
            _filled("control", sa.String(16), "run", "run, pause, stop or cancel"),
            _filled("control_reason", sa.Text()),
        ],
        "hpo_claims": [
            _filled("open", sa.Boolean(), sa.true(), "until its counting trial is told"),
            sa.Column("worker_id", sa.Integer(), comment="life of the worker that owns the token"),
            _filled("beat", sa.Integer(), "0", "of the lease; grows while its owner lives"),
            sa.Column("beat_at", sa.DateTime(), comment="by the database's clock"),
        ],
        "hpo_attempts": [_filled("device", sa.String(32)), _filled("slot", sa.Integer(), "0")],
        "hpo_workers": [
            _filled("process", sa.String(255), comment="of which its machine can say: it is gone"),
            _filled("slots", sa.Text(), "[]", "device of each"),
            _filled("failure", sa.Text(), comment="why it takes no more trials"),
        ],
    }


def _filled(name: str, kind: Any, default: Any = "", comment: str | None = None) -> sa.Column[Any]:
    """Return a column that is never null, with a value for the rows that are there."""
    return sa.Column(name, kind, server_default=default, nullable=False, comment=comment)


_SETTLED = """
UPDATE hpo_claims SET open = false WHERE token IS NULL AND EXISTS (
    SELECT 1 FROM hpo_trials WHERE hpo_trials.study_id = hpo_claims.study_id
    AND hpo_trials.number = hpo_claims.number AND hpo_trials.recorded_at IS NOT NULL AND hpo_trials.counts
)
"""


def upgrade() -> None:
    create_numbered(
        "hpo_changes",
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("key", sa.String(64), nullable=False, comment="control, budget.trials or budget.hours"),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
    )
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    op.execute(_SETTLED)
    _fill_budgets()
    op.create_index(op.f("ix_hpo_claims_study_id_open"), "hpo_claims", ["study_id", "open"])
    op.create_index(op.f("ix_hpo_attempts_study_id_number"), "hpo_attempts", ["study_id", "number"])


def _fill_budgets() -> None:
    studies = sa.table("hpo_studies", *map(sa.column, ("id", "spec", "budget_trials", "budget_hours")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(studies.c.id, studies.c.spec)).all():
        budget = json.loads(row.spec)["budget"]
        values = {"budget_trials": budget["trials"], "budget_hours": budget["hours"]}
        connection.execute(sa.update(studies).where(studies.c.id == row.id).values(values))


def downgrade() -> None:
    op.drop_index(op.f("ix_hpo_attempts_study_id_number"), table_name="hpo_attempts")
    op.drop_index(op.f("ix_hpo_claims_study_id_open"), table_name="hpo_claims")
    for table, columns in _added().items():
        for column in reversed(columns):
            op.drop_column(table, column.name)
    drop_numbered("hpo_changes")
