"""A PostgreSQL server with passwords, as `hpo up` starts it."""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hpo.head.postgres import OWNER, Cluster, Listening
from hpo.study.database.tables import SCHEMA_VERSION
from hpo.study.studies import setup
from tests.head.roles import IN_URL as PASSWORDS
from tests.head.roles import READER, WORKER

OWNER_PASSWORD = "owner:p@ss/word %41"  # noqa: S105  every character that a URL must escape
IN_URL = "owner%3Ap%40ss%2Fword%20%2541"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """Return a folder that PostgreSQL's own user can enter (if the tests run as root, that user can't enter
    pytest's).
    """
    folder = Path(tempfile.mkdtemp(prefix="hpo-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@dataclass
class Server:
    """A running server; ``database`` makes an empty one."""

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, user: str = OWNER, password: str = IN_URL) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        name = f"hpo_{next(self._numbers)}"
        setup.ensure_database(self.url("postgres"), name, OWNER)
        return name


@pytest.fixture(scope="session")
def server(open_folder: Path) -> Iterator[Server]:
    cluster = Cluster(open_folder / "data", open_folder / "postgres.log")
    cluster.make(OWNER_PASSWORD)
    made = Server(free_port())
    with cluster.serving(Listening("127.0.0.1", made.port), options=("-c", "fsync=off", "-c", "log_statement=all")):
        yield made


@pytest.fixture
def database(server: Server) -> str:
    return server.database()


@pytest.fixture
def owner_url(server: Server, database: str) -> str:
    url = server.url(database)
    done = setup.init(url, [WORKER, READER])
    assert (done.before, done.version) == (None, SCHEMA_VERSION)
    return url


@pytest.fixture
def worker_url(server: Server, database: str, owner_url: str) -> str:
    return server.url(database, WORKER.name, PASSWORDS[WORKER.name])
