"""A head node without Docker: PostgreSQL and MLflow's server, with passwords, until a block ends."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from hpo.errors import HeadBusy, HpoError
from hpo.head import passwords
from hpo.head.backup import dump
from hpo.head.postgres import OWNER, Cluster, Listening, run
from hpo.processes import python_command
from hpo.servers import Address, check_free, tail
from hpo.settings import Settings, with_driver
from hpo.study.database import engines
from hpo.study.database.roles import Role, RoleKind
from hpo.study.studies import setup
from hpo.tracking import ui

DATABASE = "hpo"
ROLES = {RoleKind.WORKER: "hpo_worker", RoleKind.READER: "hpo_reader", RoleKind.MLFLOW: "mlflow"}
MAX_CONNECTIONS = 500
WORKERS = (MAX_CONNECTIONS - 50) // engines.KEPT
"""Workers that fit; the rest is for MLflow, for commands, and for the moments in which a worker opens more."""
_OPTIONS = ("-c", f"max_connections={MAX_CONNECTIONS}", "-c", "idle_in_transaction_session_timeout=60s")
_POLL_S = 0.2


@dataclass(frozen=True)
class Plan:
    """Options of a head node: its folder, addresses and ports."""

    folder: Path
    """Absolute path of the folder for data, passwords, env files and logs."""
    host: str
    advertise: str
    """Name or address by which other nodes reach this one."""
    postgres_port: int
    mlflow_port: int

    @property
    def postgres(self) -> Listening:
        return Listening(self.host, self.postgres_port)

    @property
    def mlflow(self) -> Address:
        return Address(self.host, self.mlflow_port)

    def url(self, role: str, password: str, host: str, database: str = DATABASE) -> str:
        credentials = f"{role}:{password}" if password else role
        place = f"[{host}]" if ":" in host else host
        return f"postgresql://{credentials}@{place}:{self.postgres_port}/{database}"


@dataclass(frozen=True)
class HeadNode:
    """Both servers, after they have answered."""

    plan: Plan
    worker_env: Path
    """Env file for other nodes, and for commands on this machine that delete nothing."""
    owner_env: Path
    """Env file for `hpo delete` and `hpo db` on this machine."""
    tracking_uri: str
    postgres: subprocess.Popen[bytes]
    mlflow: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Wait until the process is interrupted. Raises HpoError if a server ends by itself."""
        servers = (("PostgreSQL", self.postgres, "postgres.log"), ("MLflow", self.mlflow, "mlflow-server.log"))
        while True:
            for name, process, log in servers:
                if process.poll() is not None:
                    ended = f"{name} ended by itself (code {process.returncode})"
                    raise HpoError(f"{ended}:\n{tail(self.plan.folder / log)}")
            time.sleep(_POLL_S)


@contextmanager
def up(plan: Plan, *, upgrade: bool) -> Iterator[HeadNode]:
    """Start both servers; make what is missing and reuse what exists; end both after the block.

    With ``upgrade`` older tables are first backed up and then upgraded. Raises HeadBusy if another head node serves the
    folder, SchemaConflict for older tables without ``upgrade``, UsageError if a port is taken.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(plan.folder / "up.lock", timeout=0):
            _end_left_over(plan)
            check_free(plan.mlflow, "hpo up --mlflow-port")
            secrets = {role: passwords.kept(plan.folder / "secrets", role) for role in (OWNER, *ROLES.values())}
            cluster = Cluster(plan.folder / "postgres", plan.folder / "postgres.log")
            cluster.make(secrets[OWNER])
            remote = (ROLES[RoleKind.WORKER], ROLES[RoleKind.READER])
            with cluster.serving(plan.postgres, remote_roles=remote, options=_OPTIONS) as postgres:
                _prepare(plan, secrets, upgrade=upgrade)
                with _mlflow(plan, secrets, upgrade=upgrade) as mlflow:
                    yield _node(plan, secrets, postgres, mlflow)
    except Timeout:
        raise HeadBusy(f"{plan.folder}: another `hpo up` serves this folder: end it first") from None


def _prepare(plan: Plan, secrets: Mapping[str, str], *, upgrade: bool) -> None:
    setup.ensure_database(plan.url(OWNER, secrets[OWNER], _HERE, "postgres"), DATABASE, OWNER)
    owner = plan.url(OWNER, secrets[OWNER], _HERE)
    if upgrade and setup.is_older(owner):
        dump(owner, plan.folder / "backups")
        setup.upgrade(owner)
    setup.init(owner, [Role(kind, name, secrets[name]) for kind, name in ROLES.items()])


@contextmanager
def _mlflow(plan: Plan, secrets: Mapping[str, str], *, upgrade: bool) -> Iterator[subprocess.Popen[bytes]]:
    role = ROLES[RoleKind.MLFLOW]
    store = with_driver(plan.url(role, "", _HERE, database=role))
    # the password has its own variable, not in the address: no message of MLflow's can quote it
    variables = {"PGPASSWORD": secrets[role], "MLFLOW_SERVER_ALLOWED_HOSTS": _allowed_hosts(plan)}
    if upgrade:
        dump(plan.url(role, secrets[role], _HERE, database=role), plan.folder / "backups")
        command = python_command("mlflow", "db", "upgrade", store)
        run("mlflow db upgrade", command, env=os.environ | variables)
    settings = Settings(plan.folder, "", store, plan.folder / "mlartifacts")
    with ui.server(settings, plan.mlflow, variables) as process:
        passwords.write_private(_left_over(plan), f"{process.pid} {psutil.Process(process.pid).create_time()}\n")
        try:
            yield process
        finally:
            _left_over(plan).unlink(missing_ok=True)


def _node(
    plan: Plan, secrets: Mapping[str, str], postgres: subprocess.Popen[bytes], mlflow: subprocess.Popen[bytes]
) -> HeadNode:
    worker_env, owner_env = plan.folder / "worker.env", plan.folder / "owner.env"
    worker = ROLES[RoleKind.WORKER]
    uri = Address(plan.advertise, plan.mlflow_port).url
    for path, comment, role, host in (
        (worker_env, "for every node; keep it at mode 600", worker, plan.advertise),
        (owner_env, "for this machine alone: may delete studies and upgrade tables", OWNER, _HERE),
    ):
        variables = {"HPO_STORAGE": plan.url(role, secrets[role], host), "MLFLOW_TRACKING_URI": uri}
        passwords.write_env_file(path, comment, variables)
    return HeadNode(plan, worker_env, owner_env, uri, postgres, mlflow)


def _allowed_hosts(plan: Plan) -> str:
    """Return the host names that MLflow accepts. Others are refused, so no web page can reach it under the page's own
    name.
    """
    names = dict.fromkeys(["127.0.0.1", "localhost", "[::1]", Address(plan.advertise, 0).url[7:-2]])
    return ",".join(f"{name}:{plan.mlflow_port}" for name in names)


def _end_left_over(plan: Plan) -> None:
    """End MLflow's processes that a killed `hpo up` left (PostgreSQL ends by itself then)."""
    try:
        pid, started = _left_over(plan).read_text().split()
        process = psutil.Process(int(pid))
        if abs(process.create_time() - float(started)) < 1:
            children = process.children(recursive=True)
            for each in (process, *children):
                each.kill()
            psutil.wait_procs([process, *children], timeout=10)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return
    finally:
        _left_over(plan).unlink(missing_ok=True)


_HERE = "127.0.0.1"


def _left_over(plan: Plan) -> Path:
    return plan.folder / "mlflow.pid"
