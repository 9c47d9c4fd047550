"""What PostgreSQL checks in each row that a worker's role writes, beyond the columns that the role may change.

All workers share one role. A row of a trial can be written only by a session with the key that is in the token of the
trial's claim (``node_keys``), and only until the trial has ended. A claim passes to another node when its lease has run
out by the database's clock. The owner of the tables may write everything. Optuna's rows of studies that hpo did not
make are not checked.

No trigger names a column, so that an upgrade may change any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

_STATEMENTS = Path(__file__).with_name("guards.sql")


def install(connection: Connection, schema_name: str) -> None:
    """Make the functions and triggers in the schema, whose name is quoted; make them anew where there are any."""
    driver: Any = connection.connection.driver_connection  # SQLAlchemy sends one statement at a time
    driver.execute(_STATEMENTS.read_text().replace("SCHEMA.", f"{schema_name}."))
