"""The server alone: which clients may connect from which address, and which folders it refuses or reuses."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from hpo.errors import HpoError, UsageError
from hpo.head import passwords
from hpo.head.postgres import OWNER, Cluster, Listening
from hpo.servers import check_free
from hpo.study.database.roles import Role, RoleKind
from hpo.study.studies import setup
from tests.head.conftest import free_port


@contextmanager
def seen_from(source: str, target: int) -> Iterator[int]:
    """Open a port that forwards to ``target``, with ``source`` as the address of the client."""
    opened: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def copy(one: socket.socket, other: socket.socket) -> None:
            with suppress(OSError):
                while data := one.recv(65536):
                    other.sendall(data)
                other.shutdown(socket.SHUT_WR)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection(("127.0.0.2", target), source_address=(source, 0))
                    opened.extend((client, server))
                    for pair in ((client, server), (server, client)):
                        threading.Thread(target=copy, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        for each in opened:
            each.close()


def connect(port: int, user: str, password: str, database: str) -> None:
    url = make_url(f"postgresql+psycopg://{user}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    finally:
        engine.dispose()


def test_from_other_machines_only_workers_and_readers_get_in_and_only_with_a_password(open_folder: Path) -> None:
    cluster = Cluster(open_folder / "remote", open_folder / "remote.log")
    cluster.make("ownerpw")
    port = free_port()
    with cluster.serving(Listening("127.0.0.2", port), remote_roles=("hpo_worker",)):
        url = f"postgresql://{OWNER}:ownerpw@127.0.0.1:{port}"
        setup.ensure_database(f"{url}/postgres", "hpo", OWNER)
        setup.init(
            f"{url}/hpo", [Role(RoleKind.WORKER, "hpo_worker", "workerpw"), Role(RoleKind.MLFLOW, "mlflow", "mlflowpw")]
        )
        with seen_from("127.0.0.3", port) as elsewhere:
            connect(elsewhere, "hpo_worker", "workerpw", "hpo")
            for user, password, database, said in (
                ("hpo_worker", "wrong", "hpo", "password authentication failed"),
                ("hpo_worker", "workerpw", "mlflow", "permission denied"),
                (OWNER, "ownerpw", "hpo", "no pg_hba.conf entry"),
                ("mlflow", "mlflowpw", "mlflow", "no pg_hba.conf entry"),
            ):
                with pytest.raises(OperationalError, match=said):
                    connect(elsewhere, user, password, database)


def test_a_cluster_is_made_once_and_its_password_stays(open_folder: Path) -> None:
    cluster, port = Cluster(open_folder / "twice", open_folder / "twice.log"), free_port()
    for password in ("first-pw", "second-pw"):
        cluster.make(password)
    with cluster.serving(Listening("127.0.0.1", port)):
        connect(port, OWNER, "first-pw", "postgres")
        with pytest.raises(OperationalError, match="password authentication failed"):
            connect(port, OWNER, "second-pw", "postgres")


def test_data_of_another_major_version_is_refused_with_the_way_out(open_folder: Path) -> None:
    folder = open_folder / "older"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("12\n")
    with pytest.raises(HpoError, match=r"data of PostgreSQL 12.*restore it"):
        Cluster(folder, open_folder / "older.log").make("password")


def test_a_port_that_is_taken_is_refused_with_the_option_that_names_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"hpo up --postgres-port {port + 1}"):
            check_free(Listening("127.0.0.1", port), "hpo up --postgres-port")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands its folder over to another user")
def test_a_folder_that_the_servers_user_can_not_enter_is_named_and_left_closed(open_folder: Path) -> None:
    closed = Path(tempfile.mkdtemp(dir=open_folder))
    with pytest.raises(UsageError, match=f"{closed}: user 'pgserver'.*chmod o.x"):
        Cluster(closed / "data", closed / "log").make("password")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_kept_password_is_private_and_stays(tmp_path: Path) -> None:
    first = passwords.kept(tmp_path / "secrets", "worker")
    assert passwords.kept(tmp_path / "secrets", "worker") == first
    assert len(first) >= 32
    assert first != passwords.kept(tmp_path / "secrets", "owner")
    assert stat.S_IMODE((tmp_path / "secrets" / "worker").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
