"""The columns that a worker's role may change, table by table; in all tables of studies it reads and inserts.

Rights on columns give no right to lock a table (PostgreSQL asks for UPDATE or DELETE on the whole of it). What the role
may change in which row is checked by ``guards``.
"""

from __future__ import annotations

from hpo.study.database import locks

_VERSION_TABLES = ("alembic_version", "version_info", "hpo_alembic_version")
"""Optuna's two version tables and ours. A role that may change them decides which code may open the database."""
CHANGED: dict[str, tuple[str, ...]] = {
    "hpo_studies": (
        "spec",
        "spec_sha256",
        "data_fingerprint",
        "facts",
        "mlflow_experiment_id",
        "budget_trials",
        "budget_hours",
        "control",
        "control_reason",
    ),
    "hpo_claims": (
        "token",
        "number",
        "attempt",
        "retries",
        "worker",
        "claimed_at",
        "open",
        "worker_id",
        "beat",
        "beat_at",
    ),
    "hpo_trials": (
        "train",
        "operating_point",
        "sweep",
        "reason",
        "detail",
        "counts",
        "value",
        "metrics",
        "epochs",
        "best_epoch",
        "mlflow_run_id",
        "recorded_at",
    ),
    "hpo_attempts": (
        "ended_at",
        "reason",
        "detail",
        "effective",
        "resumed_from",
        "checkpoint_epoch",
        "checkpoint_path",
        "uploads",
        "peak_mib",
    ),
    "hpo_epochs": ("objective", "metrics", "seconds", "recorded_at"),
    "hpo_workers": ("seen_at", "ended_at", "slots", "failure"),
    "hpo_live": ("seconds", "seen_at"),
    "studies": ("study_id",),  # to lock a row, as Optuna does; a study that has rows keeps its number
    "trials": ("number", "state", "datetime_start", "datetime_complete"),  # Optuna's own call numbers a new row
    "trial_values": ("value", "value_type"),
    "trial_intermediate_values": ("intermediate_value", "intermediate_value_type"),
    "trial_user_attributes": ("value_json",),
    "trial_system_attributes": ("value_json",),
    "study_user_attributes": ("value_json",),
    "study_system_attributes": ("value_json",),
}


def of_worker(schema_name: str, role: str) -> list[str]:
    """Return the statements that give a worker's role its rights on tables; both names are quoted."""
    every, later = f"ALL TABLES IN SCHEMA {schema_name}", f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema_name}"
    return [
        f"REVOKE UPDATE ON {every} FROM {role}",  # which older versions gave
        f"GRANT SELECT, INSERT ON {every} TO {role}",
        *(
            f"GRANT UPDATE ({', '.join(columns)}) ON {schema_name}.{table} TO {role}"
            for table, columns in CHANGED.items()
        ),
        # tables that a later `hpo db upgrade` makes, before it gives the rights of its version
        f"{later} REVOKE UPDATE ON TABLES FROM {role}",
        f"{later} GRANT SELECT, INSERT ON TABLES TO {role}",
        *(f"REVOKE INSERT ON {schema_name}.{table} FROM {role}" for table in _VERSION_TABLES),
        f"GRANT EXECUTE ON FUNCTION {schema_name}.{locks.FUNCTION}() TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema_name} TO {role}",
        f"{later} GRANT USAGE ON SEQUENCES TO {role}",
    ]
