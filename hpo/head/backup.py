"""Dumps of a PostgreSQL database, and back."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from hpo.errors import HpoError
from hpo.head.postgres import programs
from hpo.settings import password_in


def dump(url: str, folder: Path) -> Path:
    """A new file in ``folder`` (mode 600) that holds the database at ``url``, in pg_dump's custom format."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = url.rpartition("/")[2]
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.dump"
    aside = path.with_suffix(".part")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    _run("pg_dump", url, "--format=custom", f"--file={aside}")
    aside.replace(path)
    return path


def restore(path: Path, url: str) -> None:
    """Fills the empty database at ``url`` from ``dump``'s file, all or nothing. Roles must exist before: their rights
    are in the dump."""
    _run("pg_restore", url, "--single-transaction", "--exit-on-error", str(path))


def _run(program: str, url: str, *words: str) -> None:
    password = password_in(url)
    shown = url.replace(f":{password}@", "@", 1) if password else url
    done = subprocess.run(
        [str(programs() / program), f"--dbname={shown}", *words],
        env={**os.environ, **({"PGPASSWORD": unquote(password)} if password else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HpoError(f"{program} of {shown} ended with code {done.returncode}:\n{done.stderr.strip()}")
