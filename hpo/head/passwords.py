"""Passwords that are made once and kept, and the env files that pass them to other nodes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from hpo import files, redaction

_BYTES = 24


def kept(folder: Path, name: str) -> str:
    """Return the password ``name`` from ``folder`` (mode 600). The first call makes it from letters, digits, ``-`` and
    ``_``.
    """
    path = folder / name
    try:
        password = path.read_text().strip()
    except FileNotFoundError:
        password = secrets.token_urlsafe(_BYTES)
        write_private(path, f"{password}\n")
    redaction.remember(password)
    return password


def write_env_file(path: Path, comment: str, variables: Mapping[str, str]) -> None:
    """Write lines NAME=value for ``--env-file`` and Docker, mode 600."""
    lines = [f"# {comment}", *(f"{name}={value}" for name, value in variables.items())]
    write_private(path, "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 600 beside ``path`` and rename it: no other user can read it, and nobody reads
    half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.write_text(path, text, mode=0o600, flush=True)
