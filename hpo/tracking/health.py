"""Whether MLflow answers and may be written, asked by calls that leave nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hpo import urls
from hpo.errors import HpoError
from hpo.settings import sqlite_path
from hpo.tracking import client

_NO_RUN = "0" * 32
"""Id of a run that no store has."""


def look(tracking_uri: str) -> str:
    """Return what MLflow's store is. Raises HpoError, with the way out, if it does not answer or can't be written."""
    shown = urls.masked(tracking_uri)
    path = sqlite_path(tracking_uri)
    if path is not None:
        _refuse_unwritable(path)
        if not path.exists():
            return f"MLflow store {path}: made by the first run"
    connected = client.connect(tracking_uri)
    with client.reaching(tracking_uri):
        connected.search_experiments(max_results=1)
        with client.passing_over("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            connected.delete_run(_NO_RUN)  # asks for the right to write, and there is no such run
    return f"MLflow at {shown} answers, and may be written"


def _refuse_unwritable(path: Path) -> None:
    existing = next(place for place in (path, *path.parents) if place.exists())
    if not os.access(existing, os.W_OK):
        raise HpoError(f"MLflow store {path}: {existing} is not writable for you: set HPO_HOME to a folder of yours")
    if path.exists():
        try:
            with closing(sqlite3.connect(path, timeout=5)) as store:
                store.execute("BEGIN IMMEDIATE")
                store.rollback()
        except sqlite3.Error as error:
            way_out = "move the file away; `hpo sync STUDY` writes all to a new one"
            raise HpoError(f"MLflow store {path}: {error}: {way_out}") from error
