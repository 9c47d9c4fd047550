"""Paths with a question mark: Ultralytics 8.4.190 takes what follows it for the query of a URL, and finds no suffix."""

from __future__ import annotations

import os
from pathlib import Path

import ultralytics.utils.checks
from ultralytics.utils import clean_url


def allow_question_marks() -> None:
    """Let weights be read from any folder of this machine; names of files that are not here are read as before."""
    ultralytics.utils.checks.clean_url = _cleaned


def _cleaned(url: str | Path) -> str:
    return str(url) if os.path.lexists(url) else str(clean_url(url))
