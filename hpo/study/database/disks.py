"""The file system that a SQLite file lies on: on a network disk its locks do not hold, and a database breaks."""

from __future__ import annotations

import os
import re
from errno import EACCES
from pathlib import Path

from hpo.errors import StorageUnavailable, UsageError
from hpo.settings import sqlite_path

MOUNTS = Path("/proc/mounts")
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smbfs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "afs", "coda", "pvfs2", "orangefs"}
    | {"panfs", "wekafs", "gfs2", "ocfs2", "glusterfs", "ncpfs"}
)
_NETWORK_FUSE = re.compile(
    r"fuse\.(sshfs|glusterfs|ceph.*|s3fs|gcsfuse|mount-?s3|mountpoint-s3|rclone|juicefs|goofys|.*nfs.*)"
)
"""File systems of user space that fetch their files over a network."""


def network_disk(file: Path, mounts: str) -> str | None:
    """Return the kind of network disk that ``file`` lies on; None for a disk of this machine.

    ``mounts`` is the text of ``/proc/mounts``; of two entries for one place the later one is mounted over the earlier.
    """
    kind, longest = None, -1
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        place = Path(_plain(words[1]))
        if file.is_relative_to(place) and len(place.parts) >= longest:
            kind, longest = words[2], len(place.parts)
    return kind if kind is not None and (kind in _NETWORK or _NETWORK_FUSE.fullmatch(kind)) else None


def refuse_network_disk(url: str, mounts: Path = MOUNTS) -> None:
    """Raise UsageError if the database at ``url`` is a SQLite file on a network disk."""
    path = sqlite_path(url)
    if path is None:
        return
    file = path.absolute()
    try:
        kind = network_disk(file.parent.resolve() / file.name, mounts.read_text())
    except OSError:
        return  # no Linux, or no /proc: nobody can tell
    if kind is not None:
        raise UsageError(
            f"{file}: lies on a network disk ({kind}), where SQLite's locks do not hold and the database breaks: put "
            "it on a disk of this machine (HPO_HOME or HPO_STORAGE=sqlite:///FILE), or use PostgreSQL (`hpo up`)"
        )


def make_folder(folder: Path, place: str) -> None:
    """Make the folder of a SQLite file; ``place`` names the database. Raises StorageUnavailable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as error:
        raise StorageUnavailable(f"{place}: {folder}: {error.strerror}: set HPO_HOME to a folder of yours") from error


def _plain(place: str) -> str:
    """Return a path of /proc/mounts, which writes blanks and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)
