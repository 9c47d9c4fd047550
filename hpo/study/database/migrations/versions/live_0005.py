"""Live hours of a study, summed by its workers' signs of life instead of computed from the clock"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

from hpo.study.database.migrations.versions.initial_0001 import create

revision = "0005"
down_revision = "0004"

_WORKERS = sa.table(
    "hpo_workers",
    sa.column("study_id", sa.Integer()),
    sa.column("started_at", sa.DateTime()),
    sa.column("seen_at", sa.DateTime()),
)
_STUDIES = sa.table("hpo_studies", sa.column("id", sa.Integer()))
_LIVE = sa.table(
    "hpo_live",
    sa.column("study_id", sa.Integer()),
    sa.column("seconds", sa.Float(53)),
    sa.column("seen_at", sa.DateTime()),
)


def upgrade() -> None:
    seconds = sa.Column("seconds", sa.Float(53), nullable=False, comment="with at least one live worker")
    seen = sa.Column("seen_at", sa.DateTime(), comment="when they last grew, by the database's clock")
    create("hpo_live", ("study_id",), sa.Column("study_id", sa.Integer(), nullable=False), seconds, seen)
    connection = op.get_bind()
    for study_id in connection.scalars(sa.select(_STUDIES.c.id)).all():
        total_s, last = _union(connection, study_id)
        connection.execute(_LIVE.insert().values(study_id=study_id, seconds=total_s, seen_at=last))


def _union(connection: sa.Connection, study_id: int) -> tuple[float, datetime | None]:
    """Return the length of the union of all workers' lives in seconds, and its end."""
    lives = sa.select(_WORKERS.c.started_at, _WORKERS.c.seen_at).where(_WORKERS.c.study_id == study_id)
    total_s, covered = 0.0, None
    for start, end in connection.execute(lives.order_by(_WORKERS.c.started_at)):
        begin = start if covered is None else max(start, covered)
        total_s += max(0.0, (end - begin).total_seconds())
        covered = end if covered is None else max(end, covered)
    return total_s, covered


def downgrade() -> None:
    op.drop_table("hpo_live")
