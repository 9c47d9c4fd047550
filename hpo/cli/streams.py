"""Standard streams that may be gone: a closed terminal, ``| head``, ``>&-``, a full disk behind ``>``.

What a command does matters more than what it prints: it goes on, and its exit code says at the end that output is lost.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

from typing_extensions import override

from hpo.errors import StorageUnavailable

_lost: list[OSError] = []
"""The first error of standard output."""


class _Enduring(io.TextIOWrapper):
    """Text stream that drops what can't be written, and writes what its encoding lacks as escapes."""

    @override
    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    @override
    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Write into nothing from now on: what is left in the buffer would fail again at every step."""
        if self.fileno() == 1 and not _lost:
            _lost.append(error)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self.fileno())
        os.close(nothing)


def guard() -> None:
    """Make this process's streams endure, and open the closed ones.

    Else the next file that is opened, perhaps the database, would take the number of a stream, and a child would print
    into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    if sys.stdout is sys.__stdout__:  # else a caller in this process has put its own there
        sys.stdout = _enduring(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _enduring(sys.stderr, 2)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  (it stays open to the end)


def _enduring(stream: TextIO | None, descriptor: int) -> TextIO:
    encoding = "utf-8" if stream is None else stream.encoding
    raw = open(descriptor, "wb", buffering=io.DEFAULT_BUFFER_SIZE, closefd=False)  # noqa: SIM115
    line = stream is not None and (stream.isatty() or descriptor == 2)
    return _Enduring(raw, encoding=encoding, errors="backslashreplace", line_buffering=line)


def judged(code: int) -> int:
    """Return the exit code of a command that ended with ``code``; output that is lost is no success.

    A reader that has left, as in ``hpo trials | head``, has what it wanted.
    """
    sys.stdout.flush()
    if not _lost or _lost[0].errno == errno.EPIPE or code:
        return code
    sys.stderr.write(
        f"hpo: standard output: {_lost[0].strerror}: what was to be printed is lost; the rest is done. Print it where "
        "there is room\n"
    )
    return StorageUnavailable.exit_code
