"""Studies, claims, trials, attempts, epochs, workers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hpo_studies",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Optuna's study_id"),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False, comment="canonical JSON"),
        sa.Column("spec_sha256", sa.String(length=64), nullable=False),
        sa.Column("data_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("model_sha256", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("mlflow_experiment_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hpo_studies")),
        sa.UniqueConstraint("name", name=op.f("uq_hpo_studies_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_hpo_studies_uuid")),
    )
    op.create_table(
        "hpo_attempts",
        sa.Column("token", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="from 1, over all attempts at the ordinal"),
        sa.Column("worker", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("effective", sa.Text(), nullable=False),
        sa.Column("resumed_from", sa.Integer(), nullable=False, comment="epochs taken over from a checkpoint"),
        sa.Column("checkpoint_epoch", sa.Integer(), nullable=False),
        sa.Column("checkpoint_path", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f("fk_hpo_attempts_study_id")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_hpo_attempts")),
        sa.UniqueConstraint("study_id", "ordinal", "attempt", name=op.f("uq_hpo_attempts_study_id_ordinal_attempt")),
    )
    op.create_table(
        "hpo_claims",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column(
            "ordinal", sa.Integer(), nullable=False, comment="position of the proposal, from 0; a retry keeps it"
        ),
        sa.Column(
            "token",
            sa.String(length=36),
            nullable=True,
            comment="of the attempt that owns the ordinal; null while nobody does",
        ),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=True,
            comment="Optuna's number of the newest trial; null until one was asked",
        ),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="attempts admitted so far"),
        sa.Column("retries", sa.Integer(), nullable=False, comment="retries used so far"),
        sa.Column("worker", sa.String(length=255), nullable=True),
        sa.Column("claimed_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f("fk_hpo_claims_study_id")),
        sa.PrimaryKeyConstraint("study_id", "ordinal", name=op.f("pk_hpo_claims")),
        sa.UniqueConstraint("token", name=op.f("uq_hpo_claims_token")),
    )
    op.create_table(
        "hpo_epochs",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column(
            "objective", sa.Float(precision=53), nullable=True, comment="null stands for a value that is not finite"
        ),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(precision=53), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f("fk_hpo_epochs_study_id")),
        sa.PrimaryKeyConstraint("study_id", "number", "attempt", "epoch", name=op.f("pk_hpo_epochs")),
    )
    op.create_table(
        "hpo_trials",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="Optuna's number"),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("train", sa.Text(), nullable=False),
        sa.Column("operating_point", sa.Text(), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("best_epoch", sa.Integer(), nullable=True),
        sa.Column("mlflow_run_id", sa.String(length=64), nullable=True),
        sa.Column("recorded_at", sa.DateTime(), nullable=True, comment="of the outcome; null until the trial ended"),
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f("fk_hpo_trials_study_id")),
        sa.PrimaryKeyConstraint("study_id", "number", name=op.f("pk_hpo_trials")),
    )
    op.create_table(
        "hpo_workers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["hpo_studies.id"], name=op.f("fk_hpo_workers_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hpo_workers")),
    )
    op.create_index(op.f("ix_hpo_workers_study_id"), "hpo_workers", ["study_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_hpo_workers_study_id"), table_name="hpo_workers")
    op.drop_table("hpo_workers")
    op.drop_table("hpo_trials")
    op.drop_table("hpo_epochs")
    op.drop_table("hpo_claims")
    op.drop_table("hpo_attempts")
    op.drop_table("hpo_studies")
