"""Cache of file hashes: a small SQLite file that all processes of a machine share."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

_FILE = "contents-2.db"
"""File name. Its number changes with the table or its meaning; older files are then ignored."""
_TABLE = """\
CREATE TABLE IF NOT EXISTS content (
    folder BLOB, name BLOB, size INTEGER, mtime_ns INTEGER, sha256 BLOB,
    boxes INTEGER, polygons INTEGER, top_class INTEGER,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID"""
_WAIT_S = 30.0


class CachedHash(NamedTuple):
    """Cached facts of a file."""

    size: int
    mtime_ns: int
    sha256: bytes
    boxes: int | None = None
    """Facts of a label file, as in LabelFacts (also the next two fields); None for an image."""
    polygons: int | None = None
    top_class: int | None = None


class HashCache:
    """Entries by absolute path. The cache only saves time: if its file can't be used, it logs that and holds
    nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def load(self, folders: Iterable[str]) -> dict[str, CachedHash]:
        """Return all entries of files that lie directly in one of ``folders``."""
        known: dict[str, CachedHash] = {}
        with self._logged(), self._connection() as database:
            for folder in folders:
                rows = database.execute(
                    "SELECT name, size, mtime_ns, sha256, boxes, polygons, top_class FROM content WHERE folder = ?",
                    (os.fsencode(folder),),
                )
                known |= {f"{folder}{os.sep}{os.fsdecode(row[0])}": CachedHash(*row[1:]) for row in rows}
        return known

    def save(self, entries: Mapping[str, CachedHash]) -> None:
        """Add or replace the entries in one transaction."""
        if entries:
            with self._logged(), self._connection() as database, database:
                rows = ((*map(os.fsencode, os.path.split(path)), *entry) for path, entry in entries.items())
                database.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as database:
            database.execute(_TABLE)
            yield database

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            log.warning("dataset.cache_unusable", extra={"file": str(self._file), "error": str(error)})
