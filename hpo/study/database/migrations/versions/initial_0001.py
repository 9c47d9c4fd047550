"""Studies, claims, trials, attempts, epochs, workers"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def required(kind: Any, *names: str) -> list[sa.Column[Any]]:
    """Return columns of one type that are never null."""
    return [sa.Column(name, kind, nullable=False) for name in names]


def create(table: str, key: tuple[str, ...], *columns: sa.Column[Any], unique: tuple[str, ...] = ()) -> None:
    """Create a table with rows of studies. ``key`` is its primary key; ``unique`` names columns that are another."""
    constraints: list[sa.Constraint] = [
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f(f"fk_{table}_study_id")),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
    ]
    if unique:
        constraints.append(sa.UniqueConstraint(*unique, name=op.f(f"uq_{table}_{'_'.join(unique)}")))
    op.create_table(table, *columns, *constraints)


def create_numbered(table: str, *columns: sa.Column[Any]) -> None:
    """Create a table with a number for each row, and an index by study."""
    create(table, ("id",), *required(sa.Integer(), "id", "study_id"), *columns)
    op.create_index(op.f(f"ix_{table}_study_id"), table, ["study_id"])


def drop_numbered(table: str) -> None:
    """Drop a table of ``create_numbered``."""
    op.drop_index(op.f(f"ix_{table}_study_id"), table_name=table)
    op.drop_table(table)


def upgrade() -> None:
    op.create_table(
        "hpo_studies",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Optuna's study_id"),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False, comment="canonical JSON"),
        *required(sa.String(64), "spec_sha256", "data_fingerprint", "model_sha256"),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("mlflow_experiment_id", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hpo_studies")),
        sa.UniqueConstraint("name", name=op.f("uq_hpo_studies_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_hpo_studies_uuid")),
    )
    create(
        "hpo_attempts",
        ("token",),
        sa.Column("token", sa.String(36), nullable=False),
        *required(sa.Integer(), "study_id", "number", "ordinal"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="from 1, over all attempts at the ordinal"),
        *required(sa.String(255), "worker", "host"),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime()),
        sa.Column("reason", sa.String(16)),
        *required(sa.Text(), "detail", "folder", "effective"),
        sa.Column("resumed_from", sa.Integer(), nullable=False, comment="epochs taken over from a checkpoint"),
        sa.Column("checkpoint_epoch", sa.Integer(), nullable=False),
        sa.Column("checkpoint_path", sa.Text()),
        unique=("study_id", "ordinal", "attempt"),
    )
    place = "position of the proposal, from 0; a retry keeps it"
    owner = "of the attempt that owns the ordinal; null while nobody does"
    create(
        "hpo_claims",
        ("study_id", "ordinal"),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment=place),
        sa.Column("token", sa.String(36), comment=owner),
        sa.Column("number", sa.Integer(), comment="Optuna's number of the newest trial; null until one was asked"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="attempts admitted so far"),
        sa.Column("retries", sa.Integer(), nullable=False, comment="retries used so far"),
        sa.Column("worker", sa.String(255)),
        sa.Column("claimed_at", sa.DateTime(), nullable=False),
        unique=("token",),
    )
    create(
        "hpo_epochs",
        ("study_id", "number", "attempt", "epoch"),
        *required(sa.Integer(), "study_id", "number", "attempt"),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column("objective", sa.Float(53), comment="null stands for a value that is not finite"),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
    )
    create(
        "hpo_trials",
        ("study_id", "number"),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="Optuna's number"),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        *required(sa.Text(), "params", "train"),
        sa.Column("operating_point", sa.Text()),
        sa.Column("reason", sa.String(16)),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("best_epoch", sa.Integer()),
        sa.Column("mlflow_run_id", sa.String(64)),
        sa.Column("recorded_at", sa.DateTime(), comment="of the outcome; null until the trial ended"),
    )
    create_numbered(
        "hpo_workers",
        *required(sa.String(255), "worker", "host"),
        sa.Column("pid", sa.Integer(), nullable=False),
        *required(sa.DateTime(), "started_at", "seen_at"),
        sa.Column("ended_at", sa.DateTime()),
    )


def downgrade() -> None:
    drop_numbered("hpo_workers")
    for table in ("hpo_trials", "hpo_epochs", "hpo_claims", "hpo_attempts", "hpo_studies"):
        op.drop_table(table)
