"""How an exception is written into an attempt's detail, and what makes two failures the same one."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

_LONGEST = 500
_WITH_PLACE = re.compile(r"(?P<kind>\w+): .* \[(?P<place>[^][]+:\d+ in [^][]+)\]", re.DOTALL)


def described(error: BaseException) -> str:
    """Return one line: the exception's class, its text, and in brackets the frame that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" [{_place(frames[-1])}]" if frames else ""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return said[: _LONGEST - len(place)] + place


def signature(detail: str) -> tuple[str, str] | None:
    """Return the exception's class and frame in a line of ``described``; None where the line has no frame."""
    match = _WITH_PLACE.fullmatch(detail)
    return None if match is None else (match["kind"], match["place"])


def _place(frame: traceback.FrameSummary) -> str:
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} in {frame.name}"
