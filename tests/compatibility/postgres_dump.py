"""A SQLite database of ours as a PostgreSQL dump: tables made by the commands, rows copied one by one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sqlalchemy import MetaData, create_engine, func, insert, make_url, select, text

from tests import postgres
from tests.compatibility.fixture import hpo


def of(sqlite: Path) -> str:
    """Return the dump as plain SQL, without the commands of psql."""
    with postgres.Server.make() as server:
        url = postgres.create_database(server.url)
        hpo(sqlite.parents[1], "db", "init", HPO_STORAGE=url)
        _copy(sqlite, url)
        name = make_url(url).database
        command = [str(server.ctl.with_name("pg_dump")), "--inserts", "--no-owner", "--no-privileges"]
        where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", str(name)]
        dump = subprocess.run([*command, *where], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in dump.splitlines() if not line.startswith("\\")) + "\n"


def _copy(sqlite: Path, url: str) -> None:
    source = create_engine(f"sqlite:///{sqlite}")
    target = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    theirs, ours = MetaData(), MetaData()
    theirs.reflect(source)
    ours.reflect(target)
    with source.connect() as reading, target.begin() as writing:
        for table in reversed(ours.sorted_tables):
            writing.execute(table.delete())
        for table in ours.sorted_tables:
            rows = [dict(row) for row in reading.execute(select(theirs.tables[table.name])).mappings()]
            if rows:
                writing.execute(insert(table), rows)
            for column in table.primary_key.columns:
                sequence = writing.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
                if sequence and rows:
                    highest = max(row[column.name] for row in rows)
                    writing.execute(text("SELECT setval(:name, :value)"), {"name": sequence, "value": highest})
    source.dispose()
    target.dispose()
