"""Docker's client and an engine: the one that runs here, or one of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpo import retry
from hpo.processes import end_with_parent
from tests.compose import firewall

STARTING_S = 120.0
ENDING_S = 120.0
FREE_BYTES = 25 * 2**30
"""Free space for an engine's images: 7 GB of the worker's, with the layers that a build keeps of them."""


@dataclass(frozen=True)
class Docker:
    """A client of one engine."""

    client: str
    own: bool = False
    """Whether the engine is the tests' own, with no image of anybody else."""
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str | Path, within_s: float = 120, variables: Mapping[str, str] | None = None) -> str:
        """Return what the command prints; it must end well, and within ``within_s`` seconds."""
        done = self.call([self.client, *map(str, words)], within_s, variables)
        assert done.returncode == 0, (
            f"{done.args}: exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
        return done.stdout

    def call(
        self, command: list[str], within_s: float, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**os.environ, **self.variables, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def ids(self, kind: str, *filters: str) -> list[str]:
        """Return the ids of containers (``ps -a``), networks or volumes to which all filters apply."""
        options = [word for each in filters for word in ("--filter", each)]
        listing = ["ps", "-a"] if kind == "container" else [kind, "ls"]
        return self.run(*listing, "-q", *options).split()

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("inspect", name))[0]
        return found

    def answers(self) -> bool:
        """Return whether an engine answers this client."""
        try:
            done = self.call([self.client, "version", "--format", "{{.Server.Version}}"], 30)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0 and bool(done.stdout.strip())


@contextmanager
def engine() -> Iterator[Docker]:
    """Give the engine that runs here, else one that ends with the block; skip the test where there can be none."""
    client, program = shutil.which("docker"), shutil.which("dockerd")
    if client is not None and Docker(client).answers():
        yield Docker(client)
        return
    if program is None:
        pytest.skip("no Docker engine runs here and there is no dockerd: apt-get install docker.io")
    if os.geteuid() != 0:
        pytest.skip("no Docker engine runs here, and only root can start one")
    folder = Path(tempfile.mkdtemp(prefix="hpo-", dir=os.environ.get("HPO_COMPOSE_DIR", "/var/tmp")))  # noqa: S108
    try:
        if shutil.disk_usage(folder).free < FREE_BYTES:
            pytest.skip(f"less than {FREE_BYTES >> 30} GiB free for images in {folder.parent}: set HPO_COMPOSE_DIR")
        with firewall.restored(), _started(Path(program), folder) as docker:
            yield docker
    finally:
        unmount(folder)
        shutil.rmtree(folder)


@contextmanager
def _started(program: Path, folder: Path) -> Iterator[Docker]:
    address = f"unix://{folder}/sock"
    client = _client_of(program)
    if client is None:
        pytest.skip("dockerd has no client here: apt-get install docker.io")
    docker = Docker(client, own=True, variables={"DOCKER_HOST": address, "DOCKER_CONFIG": str(folder / "config")})
    places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    with (folder / "log").open("wb") as log:
        command = [str(program), *places, "--host", address, "--bridge", "none"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),  # noqa: PLW1509  it ends its containers even if the tests are killed
        )
    try:
        up = retry.until(lambda: process.poll() is not None or docker.answers(), within_s=STARTING_S, every_s=0.5)
        if not up or process.poll() is not None:
            pytest.skip(f"dockerd does not start here:\n{_tail(folder / 'log')}")
        yield docker
    finally:
        _end(docker, process, folder)


def _client_of(program: Path) -> str | None:
    """Return the client of the engine's release, which builds images without a plugin; else any."""
    for folder in os.environ["PATH"].split(os.pathsep):
        client = Path(folder) / "docker"
        if client.exists() and _release(client) == _release(program):
            return str(client)
    return shutil.which("docker")


def _release(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout.split(
        ","
    )[0]


def _end(docker: Docker, process: subprocess.Popen[bytes], folder: Path) -> None:
    """End the engine and what it started: containers first, so that nothing of them outlives it."""
    with suppress(AssertionError, subprocess.TimeoutExpired):
        if left := docker.ids("container"):
            docker.run("rm", "--force", "--volumes", *left)
        docker.run("network", "prune", "--force")
    started = _children(process)
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for each in psutil.wait_procs(started, timeout=10)[1]:
        each.kill()
    for each in _left(folder):
        each.kill()


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def _left(folder: Path) -> list[psutil.Process]:
    """Return containerd and its shims, which leave the engine's tree of processes, by the path that they were given."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith("containerd") and any(str(folder) in word for word in process.cmdline()):
                found.append(process)
    return found


def unmount(folder: Path) -> None:
    """Unmount all that is mounted below ``folder``, so that removing it removes nothing else."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((place for place in places if place.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False, timeout=60)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
