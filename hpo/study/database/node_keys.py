"""Tokens of claims that only the node that made them can use, though every node may read them.

All nodes have the same password. So each has a key of its own, and a token holds a digest of that key. The database
lets a claim be changed only by a session with the right key (``guards``). On SQLite nothing asks for it.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from contextlib import suppress
from pathlib import Path

from hpo import files

SETTING = "hpo.key"
"""PostgreSQL's setting of a session that holds the key."""
FILE = "node.key"
HALF = 16
"""Hexadecimal digits of a token that are chance; as many follow that prove the key."""


def of_home(home: Path | None) -> str:
    """Return the key that HPO_HOME keeps in a file of mode 600; without such a folder a key for this process alone.

    With it a worker can go on at once with what another one of the same home has left.
    """
    made = secrets.token_hex(32)
    if home is None or not home.is_dir():
        return made
    path = home / FILE
    with suppress(OSError):
        if not path.exists():
            with files.scratch(path, mode=0o600) as aside, suppress(FileExistsError):
                aside.write_text(made)
                path.hardlink_to(aside)  # unlike a rename it keeps the key of a process that was quicker
        return path.read_text().strip() or made
    return made


def token(key: str) -> str:
    """Return a new token, in the form of a UUID."""
    chance = secrets.token_hex(HALF // 2)
    return str(uuid.UUID(chance + hashlib.sha256(f"{key}{chance}".encode()).hexdigest()[:HALF]))
