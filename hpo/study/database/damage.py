"""Content of the database that hpo did not write so: a disk's error, a careless hand, half a restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from hpo.errors import StorageUnavailable

WAY_OUT = (
    "it is damaged, and waiting does not help: restore the database from a backup (of a SQLite file a copy, else "
    "`hpo db restore`), or correct that row; other studies go on"
)
_OF_FILES = ("malformed", "Could not decode to UTF-8", "unsupported file format", "corrupt")
"""Parts of SQLite's messages about a file that is damaged."""


class Damaged(ValueError):
    """A value that can't be what hpo wrote into its column."""

    def __init__(self, column: str, value: object, why: object = "") -> None:
        self.column = column
        text = repr(value)
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        super().__init__(f"column {column} holds {shown}{f' ({why})' if why else ''}")


@contextmanager
def told(place: str, study: str) -> Iterator[None]:
    """Turn the errors of reading damaged rows in the block into ``StorageUnavailable``, with study and column."""
    try:
        yield
    except (Damaged, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        what = str(error) if isinstance(error, Damaged) else f"a row can't be read ({type(error).__name__}: {error})"
        of = f"study {study!r}: " if study else ""
        raise StorageUnavailable(f"{place}: {of}{what}: {WAY_OUT}", lasting=True) from error


def is_of_file(error: DBAPIError) -> bool:
    """Return whether SQLite says that the file itself is damaged."""
    return any(sign in str(error.orig) for sign in _OF_FILES)
