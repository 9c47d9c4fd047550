"""PgBouncer in transaction mode before the tests' PostgreSQL, on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.postgres import free_port

CONFIG = """\
[databases]
* = host={host} port={port} user={user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 5
logfile = {folder}/log
{more}
"""


@contextmanager
def pooler(server: str, *, more: str = "") -> Iterator[int]:
    """Give the port at which every database of ``server`` is reached through the pooler.

    Each client is logged in as the role of ``server``, and has no password of its own.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("no PgBouncer on this machine: apt-get install pgbouncer")
    url, port = make_url(server), free_port()
    folder = Path(tempfile.mkdtemp(prefix="hpo-pgb-"))
    user = "nobody" if os.geteuid() == 0 else None  # PgBouncer refuses to run as root
    password = f" password={url.password}" if url.password else ""
    values = {"host": url.host, "port": url.port or 5432, "user": url.username, "password": password}
    (folder / "ini").write_text(CONFIG.format(**values, own_port=port, folder=folder, more=more))
    if user is not None:
        for path in (folder, folder / "ini"):
            shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    process = subprocess.Popen([program, "-q", str(folder / "ini")], user=user, extra_groups=[] if user else None)
    try:
        _wait(port, process)
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def through(url: str, port: int) -> str:
    return make_url(url).set(port=port).render_as_string(hide_password=False)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"PgBouncer does not answer: {process.poll()}")
