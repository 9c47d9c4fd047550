"""The script that alembic runs, with a connection from ``hpo.study.database.schema``."""

from __future__ import annotations

from alembic import context

from hpo.study.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _parents: kind != "table" or str(name).startswith("hpo_"),
)
with context.begin_transaction():
    context.run_migrations()
