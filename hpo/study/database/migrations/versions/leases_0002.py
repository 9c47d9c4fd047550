"""Leases, controls, budgets that can be changed, slots"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "hpo_studies": [
            sa.Column(
                "budget_trials",
                sa.Integer(),
                nullable=True,
                comment="as in spec, to be counted against without reading it",
            ),
            sa.Column("budget_hours", sa.Float(precision=53), nullable=True),
            sa.Column(
                "control",
                sa.String(length=16),
                server_default="run",
                nullable=False,
                comment="run, pause, stop or cancel",
            ),
            sa.Column("control_reason", sa.Text(), server_default="", nullable=False),
        ],
        "hpo_claims": [
            sa.Column(
                "open",
                sa.Boolean(),
                server_default=sa.true(),
                nullable=False,
                comment="until its counting trial is told",
            ),
            sa.Column("worker_id", sa.Integer(), nullable=True, comment="life of the worker that owns the token"),
            sa.Column(
                "beat",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="of the lease; grows while its owner lives",
            ),
            sa.Column("beat_at", sa.DateTime(), nullable=True, comment="by the database's clock"),
        ],
        "hpo_attempts": [
            sa.Column("device", sa.String(length=32), server_default="", nullable=False),
            sa.Column("slot", sa.Integer(), server_default="0", nullable=False),
        ],
        "hpo_workers": [
            sa.Column(
                "process",
                sa.String(length=255),
                server_default="",
                nullable=False,
                comment="of which its machine can say: it is gone",
            ),
            sa.Column("slots", sa.Text(), server_default="[]", nullable=False, comment="device of each"),
            sa.Column("failure", sa.Text(), server_default="", nullable=False, comment="why it takes no more trials"),
        ],
    }


_SETTLED = """
UPDATE hpo_claims SET open = false WHERE token IS NULL AND EXISTS (
    SELECT 1 FROM hpo_trials WHERE hpo_trials.study_id = hpo_claims.study_id
    AND hpo_trials.number = hpo_claims.number AND hpo_trials.recorded_at IS NOT NULL AND hpo_trials.counts
)
"""


def upgrade() -> None:
    op.create_table(
        "hpo_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False, comment="control, budget.trials or budget.hours"),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f("fk_hpo_changes_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hpo_changes")),
    )
    op.create_index(op.f("ix_hpo_changes_study_id"), "hpo_changes", ["study_id"], unique=False)
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    op.execute(_SETTLED)
    _fill_budgets()
    op.create_index(op.f("ix_hpo_claims_study_id_open"), "hpo_claims", ["study_id", "open"], unique=False)
    op.create_index(op.f("ix_hpo_attempts_study_id_number"), "hpo_attempts", ["study_id", "number"], unique=False)


def _fill_budgets() -> None:
    studies = sa.table(
        "hpo_studies",
        sa.column("id", sa.Integer()),
        sa.column("spec", sa.Text()),
        sa.column("budget_trials", sa.Integer()),
        sa.column("budget_hours", sa.Float()),
    )
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
    op.drop_index(op.f("ix_hpo_changes_study_id"), table_name="hpo_changes")
    op.drop_table("hpo_changes")
