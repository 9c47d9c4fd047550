"""What is refused before it is parsed: what is no regular file, too large, or nested too deeply.

ruamel 0.19 takes seconds for a hundred kilobytes of short entries, and calls itself for each level.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

MAX_BYTES = 1 << 19
MAX_VALUES = 20_000
"""Largest number of values. Aliases count where they are used: a few nested ones reach billions."""
MAX_DEPTH = 30
_MOST_SIGNS = 2 * MAX_VALUES
"""Largest number of line ends, commas and other signs that separate values."""
_MOST_OPEN = 100
"""Largest number of open brackets, those in texts and comments included; ``MAX_DEPTH`` is counted afterwards."""
_SEPARATOR = re.compile(r"[\n\r,?]|: ")
_BRACKET = re.compile(r"[\[\]{}]")
_INDICATORS = re.compile(r"(?:[-?:][ \t]+){40,}")
"""Lists in lists, or keys of keys, on one line."""


class Unreadable(Exception):
    """A file that is not read; the message says why, for the end of a sentence."""


def read_text(path: Path) -> str:
    """Return the text of a regular file, without a byte order mark. Raises ``Unreadable``."""
    try:
        content = _content(path)
    except (OSError, ValueError) as error:
        raise Unreadable(f"can't be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start} is not UTF-8: save the file as UTF-8 text") from error


def _content(path: Path) -> bytes:
    # without O_NONBLOCK the opening of a pipe waits for whoever writes into it
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise Unreadable("is a folder; name the file in it")
        if not stat.S_ISREG(mode):
            raise Unreadable("is no regular file (a device, a pipe): write its text into a file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise Unreadable(f"is larger than {MAX_BYTES} bytes")
    return content


def refusal(text: str) -> str:
    """Say why ``text`` is not parsed; empty where it may be."""
    if len(text) > MAX_BYTES:
        return f"is larger than {MAX_BYTES} characters"
    if sum(1 for _ in _SEPARATOR.finditer(text)) > _MOST_SIGNS:
        return f"has more than {_MOST_SIGNS} lines and entries"
    depth = 0
    for found in _BRACKET.finditer(text):
        depth = depth + 1 if found[0] in "[{" else max(0, depth - 1)
        if depth > _MOST_OPEN:
            return "nested too deeply"
    return "nested too deeply" if _INDICATORS.search(text) else ""
