"""Which hpo this is: its release, and the commit that it was built or checked out from."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hpo import __version__

_PACKAGE = Path(__file__).parent


def commit() -> str | None:
    """Ten hexadecimal digits, with ``+`` where files of a checkout differ from it; None where nobody knows."""
    built = _PACKAGE / "_commit.txt"
    if built.is_file():
        return built.read_text().strip()
    if not (_PACKAGE.parent / ".git").exists():
        return None
    head = _git("rev-parse", "--short=10", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "hpo")
    return head and head + ("+" if changed else "")


def described() -> str:
    """``0.2.0 (commit 0a1b2c3d4e)``, or the release alone."""
    known = commit()
    return f"{__version__} (commit {known})" if known else __version__


def _git(*words: str) -> str | None:
    try:
        command = ["git", "-C", str(_PACKAGE.parent), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
