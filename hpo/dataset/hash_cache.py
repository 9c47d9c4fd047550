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

_FILE = "contents-4.db"
"""File name. Its number changes with the table or its meaning; older files are then ignored."""
_TABLE = """\
CREATE TABLE IF NOT EXISTS content (
    folder BLOB, name BLOB, size INTEGER, mtime_ns INTEGER, sha256 BLOB,
    boxes INTEGER, polygons INTEGER, top_class INTEGER, repeated INTEGER, outside INTEGER,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID"""
_DECODED = """\
CREATE TABLE IF NOT EXISTS decoded (
    sha256 BLOB, suffix TEXT, found TEXT,
    PRIMARY KEY (sha256, suffix)
) WITHOUT ROWID"""
_AT_ONCE = 400
"""Number of keys in a query."""
ContentKey = tuple[bytes, str]
"""sha256 of an image, and its file's suffix: Ultralytics reads some formats by the suffix."""
_WAIT_S = 30.0


class CachedHash(NamedTuple):
    """Cached facts of a file."""

    size: int
    mtime_ns: int
    sha256: bytes
    boxes: int | None = None
    """Facts of a label file, as in LabelFacts (also the next fields); None for an image."""
    polygons: int | None = None
    top_class: int | None = None
    repeated: int | None = None
    outside: int | None = None


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
                    f"SELECT name, {', '.join(CachedHash._fields)} FROM content WHERE folder = ?",  # noqa: S608  (our own names)
                    (os.fsencode(folder),),
                )
                known |= {f"{folder}{os.sep}{os.fsdecode(row[0])}": CachedHash(*row[1:]) for row in rows}
        return known

    def save(self, entries: Mapping[str, CachedHash]) -> None:
        """Add or replace the entries in one transaction."""
        if entries:
            with self._logged(), self._connection() as database, database:
                rows = ((*map(os.fsencode, os.path.split(path)), *entry) for path, entry in entries.items())
                database.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def load_decoded(self, keys: Iterable[ContentKey]) -> dict[ContentKey, str]:
        """Return what decoding found before, of images with these keys."""
        wanted = set(keys)
        hashes = sorted({sha256 for sha256, _ in wanted})
        known: dict[ContentKey, str] = {}
        with self._logged(), self._connection() as database:
            for start in range(0, len(hashes), _AT_ONCE):
                some = hashes[start : start + _AT_ONCE]
                query = f"SELECT sha256, suffix, found FROM decoded WHERE sha256 IN ({','.join('?' * len(some))})"  # noqa: S608  (marks only)
                known |= {(sha256, suffix): found for sha256, suffix, found in database.execute(query, some)}
        return {key: found for key, found in known.items() if key in wanted}

    def save_decoded(self, found: Mapping[ContentKey, str]) -> None:
        """Add or replace what decoding found, in one transaction."""
        if found:
            with self._logged(), self._connection() as database, database:
                rows = ((*key, text) for key, text in found.items())
                database.executemany("INSERT OR REPLACE INTO decoded VALUES (?, ?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as database:
            database.execute(_TABLE)
            database.execute(_DECODED)
            yield database

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            log.warning("dataset.cache_unusable", extra={"file": str(self._file), "error": str(error)})
