"""What PostgreSQL lets every role do, and what is taken back from them: each role of hpo has its rights by name."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from hpo.study.database import failures

log = logging.getLogger(__name__)
ADMISSION = "pg_catalog.pg_advisory_xact_lock(integer, integer)"
"""The function of the lock that admissions take."""
_FUNCTIONS = text(
    "SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'pg_catalog'::regnamespace "
    "AND p.proname ~ '^(pg_(try_)?advisory_.*|lo_.*|loread|lowrite|pg_(cancel|terminate)_backend)$' ORDER BY 1"
)
"""Locks that are no table's, large objects, and the end of another session of the same role."""
_LEFT = text(
    "SELECT right_ FROM unnest(ARRAY['CONNECT', 'TEMPORARY']) AS right_ "
    "WHERE has_database_privilege('public', current_database(), right_)"
)


def revoke(connection: Connection, database: str, schema_name: str) -> None:
    """Leave nothing of this database to PUBLIC but what reads the server's own tables; the names are quoted.

    Where this connection may not, for it is neither the server's superuser nor the database's owner, it is logged.
    """
    taken = (f"ALL ON DATABASE {database}", f"CREATE ON SCHEMA {schema_name}")
    left = [what for what in taken if not _may(connection, f"REVOKE {what} FROM PUBLIC")]
    functions = connection.scalars(_FUNCTIONS).all()
    if functions and not _may(connection, f"REVOKE EXECUTE ON FUNCTION {', '.join(functions)} FROM PUBLIC"):
        left.append("functions of advisory locks and large objects")
    left += connection.scalars(_LEFT)
    if left:
        log.warning("every role of the server keeps %s here: a superuser's `hpo db init` takes them", ", ".join(left))


def grant_admission(connection: Connection, role: str) -> None:
    """Let the role, whose name is quoted, take the lock of admissions."""
    _may(connection, f"GRANT EXECUTE ON FUNCTION {ADMISSION} TO {role}")


def _may(connection: Connection, statement: str) -> bool:
    """Run a statement; return False where the role of this connection has no right to it."""
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except ProgrammingError as error:
        if failures.sqlstate(error) != failures.NO_RIGHT:
            raise
        return False
    return True
