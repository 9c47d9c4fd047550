"""Who holds the locks that a statement has waited for in vain.

A role sees addresses and times of its own sessions alone, so `hpo db init` makes a function of the owner that tells
them.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

TIMED_OUT = "55P03"
"""PostgreSQL's error code after lock_timeout."""
FUNCTION = "hpo_lock_holders"
"""Name of the function."""
_HOLDERS = """
SELECT DISTINCT a.usename::text AS role, a.application_name AS program, a.pid, host(a.client_addr) AS address,
       date_trunc('second', coalesce(a.xact_start, a.state_change, a.backend_start)) AS since
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.granted AND a.pid <> pg_backend_pid() AND a.datname = current_database()
  AND (l.locktype = 'advisory' OR (l.locktype = 'relation' AND l.relation >= 16384 AND l.mode <> 'AccessShareLock'))
  AND NOT EXISTS (SELECT FROM pg_locks AS w WHERE w.pid = a.pid AND NOT w.granted)
ORDER BY since LIMIT 3
"""
"""Sessions on this database with locks that others may wait for, and that wait for none: the oldest first."""


def install(connection: Connection, schema_name: str) -> None:
    """Make the function in the schema, whose name is quoted. Nobody else may run it before it is granted."""
    name = f"{schema_name}.{FUNCTION}()"
    columns = "role text, program text, pid int, address text, since timestamptz"
    rights = "LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
    made = f"CREATE OR REPLACE FUNCTION {name} RETURNS TABLE ({columns}) {rights} AS $${_HOLDERS}$$"
    connection.execute(text(made))
    connection.execute(text(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC"))


def holders(connection: Connection) -> str:
    """Return who holds locks now, for people; empty where nobody does."""
    try:
        with connection.begin_nested():
            rows = connection.execute(select(text("*")).select_from(func.hpo_lock_holders())).all()
    except DBAPIError:  # without roles of hpo's there is no function, and the owner sees as much itself
        rows = connection.execute(text(_HOLDERS)).all()
    said = [
        f"{row.role} ({row.program or 'a program without a name'}, pid {row.pid}"
        + (f", from {row.address}" if row.address else "")
        + ")"
        + (f" since {row.since.isoformat()}" if row.since else "")
        for row in rows
    ]
    return ", ".join(said)
