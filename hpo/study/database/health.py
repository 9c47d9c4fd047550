"""What a database says of itself: whether it answers, its version, the role's rights, its tables, its clock."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select, text

from hpo.study.database import disks, engines, optuna_version, tables
from hpo.study.database.storage import Storage, connect
from hpo.study.database.tables import SCHEMA_VERSION, stored_version

NEEDED = ("SELECT", "INSERT", "UPDATE")
"""Rights on the tables of studies that a worker needs."""


@dataclass(frozen=True)
class Health:
    """A database that answers."""

    place: str
    server: str
    """Product and version."""
    schema: str | None
    """Revision of hpo's tables; None where there are none yet."""
    studies: int
    clock_s: float
    """Seconds that this machine's clock is ahead of the database's."""
    problem: str | None
    """What keeps this hpo from working with it, with the way out."""


def look(url: str) -> Health:
    """Ask the database at ``url``, without a change to it.

    Raises ``StorageUnavailable`` if it does not answer, and ``UsageError`` if the URL or the file can't be a database.
    """
    with connect(url) as storage:
        path = Path(str(storage.url.database))
        disks.refuse_network_disk(url)
        if engines.is_sqlite(storage.url) and not path.exists():
            return Health(storage.place, "SQLite", None, 0, 0.0, None)
        return storage.read(lambda connection: _look(storage, connection))


def _look(storage: Storage, connection: Connection) -> Health:
    sqlite = engines.is_sqlite(storage.url)
    version = connection.execute(text(f"select {'sqlite_version()' if sqlite else 'version()'}")).scalar_one()
    server = f"SQLite {version}" if sqlite else " ".join(str(version).split()[:2])
    now: datetime = connection.execute(select(tables.Now())).scalar_one()
    ahead = (datetime.now(UTC) - now).total_seconds()
    schema = stored_version(connection)
    if schema is None:
        problem = tables.of_another_program(connection) or _rights(storage, connection, fresh=True)
        return Health(storage.place, server, None, 0, ahead, problem)
    if schema != SCHEMA_VERSION:
        way_out = "update hpo" if schema not in tables.OLDER_VERSIONS else "back it up, then run `hpo db upgrade`"
        problem = f"its tables are of schema version {schema}, this hpo needs {SCHEMA_VERSION}: {way_out}"
        return Health(storage.place, server, schema, 0, ahead, problem)
    count = len(list(connection.scalars(select(tables.studies.c.id))))
    wrong = optuna_version.wrong_release() or optuna_version.wrong_columns(connection)
    return Health(storage.place, server, schema, count, ahead, wrong or _rights(storage, connection, fresh=False))


def _rights(storage: Storage, connection: Connection, *, fresh: bool) -> str | None:
    if engines.is_sqlite(storage.url):
        return _file_rights(Path(str(storage.url.database)))
    if fresh:
        may = connection.execute(text("select has_schema_privilege(current_schema(), 'CREATE')")).scalar()
        return None if may else _LACKS.format(storage.url.username, "CREATE on the schema", "make the tables")
    asked = ", ".join(f"has_any_column_privilege('hpo_attempts', '{right}')" for right in NEEDED)
    row = connection.execute(text(f"select {asked}")).one()
    missing = [right for right, has in zip(NEEDED, row, strict=True) if not has]
    return _LACKS.format(storage.url.username, ", ".join(missing), "train") if missing else None


_LACKS = (
    "the role {!r} lacks {}: it can't {}; "
    "name a worker's role in HPO_STORAGE (`hpo db init --worker-role NAME` makes it)"
)


def _file_rights(file: Path) -> str | None:
    """Return why the file, or its folder, in which SQLite keeps its log, can't be written."""
    for path in (file, file.parent):
        if not os.access(path, os.W_OK):
            return f"{path} is not writable for you: ask its owner, or set HPO_HOME to a folder of yours"
    return None
