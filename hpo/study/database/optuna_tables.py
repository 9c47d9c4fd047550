"""The parts of Optuna's tables that are read or deleted by plain SQL, so that readers need not import Optuna (0.5 s).

Optuna 5.0.0, ``optuna/storages/_rdb/models.py``; a test compares the names with Optuna's own.
"""

from __future__ import annotations

from sqlalchemy import Connection, Integer, String, cast, column, delete, select, table

studies = table("studies", column("study_id", Integer), column("study_name", String))
trials = table(
    "trials",
    column("trial_id", Integer),
    column("number", Integer),
    column("study_id", Integer),
    column("state", String),
)

user_attributes = table(
    "trial_user_attributes", column("trial_id", Integer), column("key", String), column("value_json", String)
)

state = cast(trials.c.state, String).label("state")
"""Name of a trial's state (PostgreSQL has a type of its own for it)."""

TRIAL_TABLES = (
    "trial_heartbeats",
    "trial_intermediate_values",
    "trial_params",
    "trial_system_attributes",
    "trial_user_attributes",
    "trial_values",
)
"""Rows by ``trial_id``."""
STUDY_TABLES = ("study_directions", "study_system_attributes", "study_user_attributes", "trials", "studies")
"""Rows by ``study_id``, in an order in which they can be deleted."""


def delete_study(connection: Connection, study_id: int) -> None:
    """Every row of a study, within the caller's transaction."""
    trial_ids = select(trials.c.trial_id).where(trials.c.study_id == study_id)
    for name in TRIAL_TABLES:
        rows = table(name, column("trial_id", Integer))
        connection.execute(delete(rows).where(rows.c.trial_id.in_(trial_ids)))
    for name in STUDY_TABLES:
        rows = table(name, column("study_id", Integer))
        connection.execute(delete(rows).where(rows.c.study_id == study_id))
