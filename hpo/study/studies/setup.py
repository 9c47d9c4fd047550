"""Creating and upgrading a database, as a step of its own: workers need no right to do either."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace

from hpo import files
from hpo.errors import UsageError
from hpo.settings import sqlite_path
from hpo.study.database import roles
from hpo.study.database.roles import Role
from hpo.study.database.storage import SchemaConflict, connect, open_storage, shown, version_at
from hpo.study.database.tables import OLDER_VERSIONS, SCHEMA_VERSION
from hpo.study.studies import lifecycle


@dataclass(frozen=True)
class Prepared:
    place: str
    """The URL in a form for people, without its password."""
    before: str | None
    """Schema version that was found; None where there were no tables."""
    version: str
    copy: str | None = None
    """Copy of a SQLite file from before an upgrade; None where nothing was upgraded, or on a server."""


def init(url: str, wanted: list[Role] | None = None) -> Prepared:
    """Create the tables where there are none, and the roles ``wanted``. Several processes may do so, and it may be
    repeated.

    Raises SchemaConflict for older tables (only ``upgrade`` changes them, after a backup) and for newer ones.
    """
    before = version_at(url)
    if before in OLDER_VERSIONS:
        raise SchemaConflict(
            f"{shown(url)}: the tables are of schema version {before}, this hpo needs {SCHEMA_VERSION}: "
            "back the database up, then run `hpo db upgrade`"
        )
    return _bring_up(url, before, wanted or [])


def upgrade(url: str) -> Prepared:
    """Upgrade older tables to this version, of a SQLite file with a copy of it beside it.

    Raises UsageError where there are no tables, SchemaConflict for newer ones.
    """
    before = version_at(url)
    if before is None:
        raise UsageError(f"{shown(url)}: there are no tables of hpo: `hpo db init` makes them")
    copy = _copied(url, before) if before in OLDER_VERSIONS else None
    return replace(_bring_up(url, before, [], upgrade=True), copy=copy)


def _copied(url: str, version: str | None) -> str | None:
    """Copy a SQLite file, as it is at one moment, to a file beside it, and return that; None for a server."""
    path = sqlite_path(url)
    if path is None:
        return None
    target = path.with_name(f"{path.name}.schema-{version}")
    with (
        files.written_aside(target, flush=True) as aside,
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(aside)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file
    return str(target)


def is_older(url: str) -> bool:
    """Return whether ``upgrade`` has something to do."""
    return version_at(url) in OLDER_VERSIONS


def ensure_database(url: str, name: str, owner: str) -> None:
    """Create the database ``name`` on the server of ``url`` where it is missing. Only ``owner`` may connect to it."""
    with connect(url) as storage:
        roles.ensure_database(storage, name, owner=owner)


def holds_studies(url: str) -> bool:
    """Return whether there are tables of ours, of any version, with a study in them."""
    if version_at(url) is None:
        return False
    with connect(url) as storage:
        return bool(lifecycle.names(storage))


def _bring_up(url: str, before: str | None, wanted: list[Role], *, upgrade: bool = False) -> Prepared:
    with open_storage(url, create=True, upgrade=upgrade) as storage:
        if wanted:
            roles.ensure(storage, wanted)
        else:
            roles.renew(storage)
        return Prepared(storage.place, before, SCHEMA_VERSION)
