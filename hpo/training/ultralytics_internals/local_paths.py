"""Paths of weights with ``?`` or an apostrophe: Ultralytics 8.4.190 takes what follows the one for the query of a URL,
and leaves out the other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ultralytics.utils.checks
import ultralytics.utils.downloads
from ultralytics.utils import clean_url
from ultralytics.utils.downloads import attempt_download_asset


def allow_any_folder() -> None:
    """Let weights be read from any folder of this machine; names of files that are not here are read as before."""
    ultralytics.utils.checks.clean_url = _cleaned
    ultralytics.utils.downloads.attempt_download_asset = _found


def _cleaned(url: str | Path) -> str:
    return str(url) if os.path.lexists(url) else str(clean_url(url))


def _found(file: str | Path, *more: Any, **options: Any) -> str:
    return str(file) if Path(file).is_file() else str(attempt_download_asset(file, *more, **options))
