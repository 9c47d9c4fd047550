"""Files and folders that appear complete or not at all, and the digest of a file.

New content lies beside its target, under a name that nobody can guess, until it is complete. Then it is renamed into
place. So no reader sees an incomplete file, and two writers at once leave one complete file.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".tmp"
_LEFT_BEHIND_S = 3600.0
"""Seconds. A half-written file of this age belongs to no living process."""


def digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path) -> bool:
    """Return whether ``path`` is a regular file or leads to one.

    False too where the disk can't be asked, as for a name that is too long: ``Path.is_file`` raises then.
    """
    return os.path.isfile(path)  # noqa: PTH113


def write_text(path: Path, text: str, *, mode: int | None = None, flush: bool = False) -> None:
    """Write ``text`` as UTF-8 to ``path``, at once. See ``written_aside`` for the rest."""
    write_bytes(path, text.encode(), mode=mode, flush=flush)


def write_bytes(path: Path, content: bytes, *, mode: int | None = None, flush: bool = False) -> None:
    """Write ``content`` to ``path``, at once. See ``written_aside`` for the rest."""
    with written_aside(path, mode=mode, flush=flush) as aside:
        aside.write_bytes(content)


@contextmanager
def written_aside(path: Path, *, mode: int | None = None, flush: bool = False) -> Iterator[Path]:
    """Give a new file beside ``path``, which takes the place of ``path`` at the block's end.

    If the block raises, ``path`` is untouched and the new file is removed. ``mode`` sets the permission bits of the new
    file; without it, they are those of the replaced file, otherwise those that the umask leaves. With ``flush`` the
    content is on disk before the rename (the name is on disk after ``flush_folder``). A link at ``path`` is replaced,
    never followed.
    """
    with scratch(path, mode=mode) as aside:
        yield aside
        if mode is None:
            _take_mode(aside, path)
        if flush:
            _flush(aside, os.O_RDONLY | os.O_NOFOLLOW)
        aside.replace(path)


@contextmanager
def scratch(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Give a new, empty file in the folder of ``path``; it is removed at the block's end unless it was moved.

    Also removes files that killed processes left for the same ``path``, once they are an hour old.
    """
    remove_leftovers(path.parent, f"{glob.escape(path.name)}.*")
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}{_SUFFIX}")
    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666 if mode is None else mode))
    try:
        yield aside
    finally:
        with suppress(OSError):  # the error that ended the block is raised, not this one
            aside.unlink(missing_ok=True)


def remove_leftovers(folder: Path, names: str = "*", *, older_than_s: float = _LEFT_BEHIND_S) -> None:
    """Remove half-written files in ``folder`` that are at least this old.

    ``names`` is a pattern that fits the target's name and ends with ``*``.
    """
    for left in folder.glob(f".{names}{_SUFFIX}"):
        with suppress(OSError):  # gone since it was listed, or not ours to remove
            if time.time() - left.lstat().st_mtime >= older_than_s:
                left.unlink()


def flush_folder(folder: Path) -> None:
    """Put renames in ``folder`` on disk: until then a power failure may undo them."""
    _flush(folder, os.O_RDONLY)


@contextmanager
def folder_aside(target: Path) -> Iterator[Path]:
    """Give a new folder beside ``target``, which replaces it at the block's end and is removed if the block raises.

    ``target`` may exist as an empty folder; if it is anything else, OSError is raised and it stays. Also removes
    folders that killed processes of this machine left for the same ``target``.
    """
    import shutil
    import socket
    import tempfile

    target.parent.mkdir(parents=True, exist_ok=True)
    prefix, host = f".{target.name}.partial-", socket.gethostname()
    _remove_folders_of_the_dead(target.parent, prefix, host)
    draft = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-{host}-", dir=target.parent))
    try:
        yield draft
        draft.chmod(0o755)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_folders_of_the_dead(folder: Path, prefix: str, host: str) -> None:
    """Remove those folders. Their names are the prefix, the process id, its host, and a random part."""
    import shutil

    import psutil

    for left in folder.glob(f"{glob.escape(prefix)}*"):
        number, _, rest = left.name.removeprefix(prefix).partition("-")
        is_ours = number.isdecimal() and rest.rpartition("-")[0] == host
        if is_ours and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _take_mode(aside: Path, path: Path) -> None:
    try:
        replaced = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISREG(replaced):
        aside.chmod(stat.S_IMODE(replaced) & 0o777)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
