"""PostgreSQL roles that have the rights for their work and no others.

A worker reads, inserts, and changes some columns of its own trials; it creates, alters and deletes nothing. A reader
reads. MLflow's role owns a database of its own. Everything here may be run again.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from hpo.errors import UsageError
from hpo.study.database import engines, failures, guards, locks, public, rights, schema
from hpo.study.database.storage import Storage

log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_WORKERS = text(
    "SELECT DISTINCT r.rolname FROM pg_catalog.pg_class AS c, aclexplode(c.relacl) AS acl "
    "JOIN pg_catalog.pg_roles AS r ON r.oid = acl.grantee "
    "WHERE c.oid = 'hpo_claims'::regclass AND acl.privilege_type = 'INSERT' AND acl.grantee <> c.relowner"
)


class RoleKind(StrEnum):
    WORKER = "worker"
    READER = "reader"
    MLFLOW = "mlflow"


@dataclass(frozen=True)
class Role:
    kind: RoleKind
    name: str
    password: str
    """Password to set; empty where the role exists already and keeps its own."""


def ensure(storage: Storage, roles: list[Role]) -> None:
    """Create the missing roles, set the given passwords, and grant each role its rights.

    This needs a connection that may create roles and owns the tables. Raises UsageError for a database without roles, a
    name that is not a plain identifier, or a missing role without a password.
    """
    if engines.is_sqlite(storage.url):
        raise UsageError(f"{storage.place}: SQLite has no roles: name a postgresql:// database in HPO_STORAGE")
    for role in roles:
        if not _NAME.fullmatch(role.name):
            raise UsageError(f"role {role.name!r}: use small letters, digits and _, at most 63")
    with schema.one_at_a_time(storage.engine):
        storage.write(lambda connection: _logins_and_grants(connection, roles))
        for role in roles:
            if role.kind is RoleKind.MLFLOW:
                ensure_database(storage, role.name, owner=role.name)


def renew(storage: Storage) -> None:
    """Give the roles of workers that are there the rights of this version, after an upgrade."""
    if engines.is_sqlite(storage.url):
        return
    names = storage.read(lambda connection: list(connection.scalars(_WORKERS)))
    if names:
        ensure(storage, [Role(RoleKind.WORKER, name, "") for name in names])


def ensure_database(storage: Storage, name: str, *, owner: str) -> None:
    """Create a database for ``owner``, or keep the one that is there. Only ``owner``, the database's owner and
    superusers may connect to it.
    """
    with storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        there = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).scalar()
        quoted, quoted_owner = _quote(connection, name), _quote(connection, owner)
        if not there:
            connection.execute(text(f"CREATE DATABASE {quoted} OWNER {quoted_owner}"))
        connection.execute(text(f"GRANT ALL ON DATABASE {quoted} TO {quoted_owner}"))
        connection.execute(text(f"REVOKE ALL ON DATABASE {quoted} FROM PUBLIC"))


def _logins_and_grants(connection: Connection, roles: list[Role]) -> None:
    schema_name = _quote(connection, str(connection.scalar(text("SELECT current_schema()"))))
    public.revoke(connection, _quote(connection, str(connection.engine.url.database)), schema_name)
    locks.install(connection, schema_name)
    guards.install(connection, schema_name)
    for role in roles:
        _ensure_login(connection, role)
        for statement in _grants(connection, role, schema_name):
            connection.execute(text(statement))
        if role.kind is RoleKind.WORKER:
            public.grant_admission(connection, _quote(connection, role.name))
        if role.kind is not RoleKind.MLFLOW:
            _set_limits(connection, role, schema_name)


def _set_limits(connection: Connection, role: Role, schema_name: str) -> None:
    """Give the role the settings of our sessions: a pooler such as PgBouncer does not pass a connection's own on."""
    settings = {name: f"{value}ms" for name, value in engines.limits().items()} | {"timezone": "UTC"}
    if schema_name != "public":
        settings["search_path"] = schema_name
    database = _quote(connection, str(connection.engine.url.database))
    statement = f"ALTER ROLE {_quote(connection, role.name)} IN DATABASE {database} SET"
    try:
        with connection.begin_nested():
            for name, value in settings.items():
                connection.execute(text(f"{statement} {name} = {value if name == 'search_path' else repr(value)}"))
    except ProgrammingError as error:
        if failures.sqlstate(error) != failures.NO_RIGHT:
            raise
        log.warning("role %s keeps its settings, and needs them only behind a pooler: %s", role.name, error.orig)


def _ensure_login(connection: Connection, role: Role) -> None:
    there = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": role.name}).scalar()
    if not there and not role.password:
        variable = f"HPO_{role.kind.upper()}_PASSWORD_FILE"
        raise UsageError(f"role {role.name!r} does not exist: name a file with its new password in {variable}")
    if role.password:
        action = "ALTER" if there else "CREATE"
        verifier = _scram(connection, role)
        connection.execute(text(f"{action} ROLE {_quote(connection, role.name)} LOGIN PASSWORD '{verifier}'"))


def _scram(connection: Connection, role: Role) -> str:
    """Return the verifier that the server stores for a password.

    It is computed here, so that the password is in no statement and no server log.
    """
    driver: Any = connection.connection.driver_connection
    verifier: bytes = driver.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256")
    return verifier.decode("ascii").replace(":", "\\:")  # SQLAlchemy's text() takes :name for a parameter


def _grants(connection: Connection, role: Role, schema_name: str) -> list[str]:
    if role.kind is RoleKind.MLFLOW:
        return []
    name = _quote(connection, role.name)
    database = _quote(connection, str(connection.engine.url.database))
    statements = [
        f"GRANT CONNECT ON DATABASE {database} TO {name}",
        f"GRANT USAGE ON SCHEMA {schema_name} TO {name}",
    ]
    if role.kind is RoleKind.WORKER:
        return statements + rights.of_worker(schema_name, name)
    return [
        *statements,
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema_name} TO {name}",
        # for tables that a later `hpo db upgrade` creates
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema_name} GRANT SELECT ON TABLES TO {name}",
    ]


def _quote(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)
