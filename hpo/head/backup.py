"""Backup and restore of a PostgreSQL database."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from hpo import files, urls
from hpo.errors import UsageError
from hpo.head.postgres import programs, run
from hpo.settings import for_libpq
from hpo.study.database.storage import shown
from hpo.study.studies import setup


def dump(url: str, folder: Path) -> Path:
    """Write the database at ``url`` to a new file in ``folder`` (mode 600), in pg_dump's custom format; return the
    file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = url.rpartition("/")[2].partition("?")[0]
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.dump"
    with files.written_aside(path, mode=0o600) as aside:
        _run("pg_dump", url, "--format=custom", f"--file={aside}")
    return path


def restore(path: Path, url: str) -> None:
    """Fill the database at ``url`` from ``dump``'s file, all or nothing; what is there is replaced.

    Roles must exist before (``hpo up`` and ``hpo db init`` make them): their rights are in the dump. Raises UsageError
    if the database holds studies: they are never overwritten.
    """
    if setup.holds_studies(url):
        raise UsageError(f"{shown(url)}: already holds studies: restore into a fresh database")
    _run("pg_restore", url, "--clean", "--if-exists", "--single-transaction", "--exit-on-error", str(path))


def _run(program: str, url: str, *words: str) -> None:
    """Run the program. It gets the password in the environment: every user of the machine can read arguments."""
    url = for_libpq(url)
    if not url.startswith("postgresql://"):
        raise UsageError("HPO_STORAGE: this is for PostgreSQL; of an SQLite file make a copy with SQLite's .backup")
    place, secrets = urls.without_secrets(url)
    if others := sorted(set(secrets) - {"password"}):
        raise UsageError(
            f"HPO_STORAGE: {others[0]} in the query would be an argument of {program}, which every user of this "
            "machine can read: name it in a service file of libpq instead (PGSERVICEFILE, ?service=NAME)"
        )
    variables = {"PGPASSWORD": secrets["password"]} if secrets else {}
    run(f"{program} of {place}", [str(programs() / program), f"--dbname={place}", *words], env=os.environ | variables)
