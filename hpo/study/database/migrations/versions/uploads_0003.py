"""Checkpoints in the tracking server's artifact store"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    comment = "checkpoints in the artifact store, whole"
    op.add_column("hpo_attempts", sa.Column("uploads", sa.Text(), server_default="[]", nullable=False, comment=comment))


def downgrade() -> None:
    op.drop_column("hpo_attempts", "uploads")
