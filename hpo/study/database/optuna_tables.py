"""The parts of Optuna's tables that plain SQL reads or deletes, so that readers need not import Optuna (0.5 s).

Source: Optuna 5.0.0, ``optuna/storages/_rdb/models.py``; a test compares the names with Optuna's own.
"""

from __future__ import annotations

from sqlalchemy import Connection, Integer, String, cast, column, delete, select, table

studies = table("studies", column("study_id", Integer), column("study_name", String))
trials = table(
    "trials", *(column(name, Integer) for name in ("trial_id", "number", "study_id")), column("state", String)
)
user_attributes = table(
    "trial_user_attributes", column("trial_id", Integer), column("key", String), column("value_json", String)
)

state = cast(trials.c.state, String).label("state")
"""Name of a trial's state (PostgreSQL has a type of its own for it)."""

COLUMNS = {
    "trial_heartbeats": {"trial_heartbeat_id", "trial_id", "heartbeat"},
    "trial_intermediate_values": {
        "trial_intermediate_value_id",
        "trial_id",
        "step",
        "intermediate_value",
        "intermediate_value_type",
    },
    "trial_params": {"param_id", "trial_id", "param_name", "param_value", "distribution_json"},
    "trial_system_attributes": {"trial_system_attribute_id", "trial_id", "key", "value_json"},
    "trial_user_attributes": {"trial_user_attribute_id", "trial_id", "key", "value_json"},
    "trial_values": {"trial_value_id", "trial_id", "objective", "value", "value_type"},
    "study_directions": {"study_direction_id", "direction", "study_id", "objective"},
    "study_system_attributes": {"study_system_attribute_id", "study_id", "key", "value_json"},
    "study_user_attributes": {"study_user_attribute_id", "study_id", "key", "value_json"},
    "trials": {"trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"},
    "studies": {"study_id", "study_name"},
}
"""Columns that each of these tables must have; compared with the database when it is opened. The tables stand in an
order in which their rows can be deleted.
"""


def delete_study(connection: Connection, study_id: int) -> None:
    """Delete every row of a study, within the caller's transaction."""
    trial_ids = select(trials.c.trial_id).where(trials.c.study_id == study_id)
    for name, columns in COLUMNS.items():
        rows = table(name, column("study_id", Integer), column("trial_id", Integer))
        mine = rows.c.study_id == study_id if "study_id" in columns else rows.c.trial_id.in_(trial_ids)
        connection.execute(delete(rows).where(mine))
