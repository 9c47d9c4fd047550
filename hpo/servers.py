"""Servers that run as children until a block ends: their addresses, and the check that they answer."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpo import retry
from hpo.errors import HpoError, UsageError

_POLL_S = 0.1


@dataclass(frozen=True)
class Address:
    """Address of a server."""

    host: str
    """Address of this machine; ``0.0.0.0`` for all its addresses."""
    port: int

    @property
    def url(self) -> str:
        """Return the address for a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True)
class Starting:
    """A server that was started and may not answer yet."""

    process: subprocess.Popen[bytes]
    name: str
    """Name of the server for people."""
    place: str
    """Place of the server for people: "on port 5432"."""
    log: Path
    """Log file; its end is quoted in an error."""

    def wait(self, answers: Callable[[], bool], within_s: float) -> None:
        """Wait until the server answers. Raises ``HpoError`` if it has ended, or does not answer within that time."""

        def is_up() -> bool:
            if self.process.poll() is not None:
                raise HpoError(f"{self.name} ended at once (code {self.process.returncode}):\n{tail(self.log)}")
            return answers()

        if not retry.until(is_up, within_s=within_s, every_s=_POLL_S):
            raise HpoError(f"{self.name} does not answer {self.place} after {within_s:.0f} s:\n{tail(self.log)}")


def check_free(at: Address, option: str) -> None:
    """Raise ``UsageError`` if a process listens there already. ``option`` is the option to choose another port."""
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((at.host, at.port))
        except OSError as error:
            way_out = f"name another port: {option} {at.port + 1}"
            raise UsageError(f"{at.host}:{at.port} can't be served: {error.strerror}; {way_out}") from error


def tail(log: Path) -> str:
    """Return the last 15 lines."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
