"""The images of the compose file: built from the Dockerfile, on the published base images or on stand-ins for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compose.docker import Docker, unmount
from tests.conftest import ROOT

STAND_INS = Path(__file__).parent / "stand_ins"
FILE = ROOT / "docker-compose.cpu.yml"
PYTHON = re.findall(r"^FROM (\S+) AS build$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
POSTGRES = re.findall(r"^    image: (postgres:\S+)$", FILE.read_text(), re.MULTILINE)[0]
TAG = f"compose-test-{os.getpid()}"
BUILDING_S = 2400.0
PATHS = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Built:
    """Tags, sizes in MB and build times in seconds of the two images."""

    tags: dict[str, str]
    sizes_mb: dict[str, int]
    seconds: dict[str, int]


def provide_bases(docker: Docker, folder: Path) -> None:
    """Pull the published base images, or build stand-ins where ``HPO_COMPOSE_BASES=debian`` asks for them."""
    if os.environ.get("HPO_COMPOSE_BASES") == "debian":
        _stand_in(docker, folder)
        return
    for tag in (PYTHON, POSTGRES):
        if docker.call([docker.client, "image", "inspect", tag], 60).returncode == 0:
            continue
        pulled = docker.call([docker.client, "pull", "--quiet", tag], 900)
        if pulled.returncode != 0:
            reason = f"{tag} is not here and can't be pulled: {pulled.stderr.strip()[-300:]}"
            pytest.skip(f"{reason}\nstand-ins from Debian's packages: make test-compose BASES=debian")


@contextmanager
def built(docker: Docker) -> Iterator[Built]:
    """Give the images under tags of the tests' own; they are removed at the block's end."""
    found = Built({}, {}, {})
    torch = os.environ.get("HPO_TORCH") or "locked"
    try:
        for target in ("head", "worker"):
            tag = found.tags[target] = f"hpo-{target}:{TAG}"
            began = time.monotonic()
            words = ["--network", "host", "--target", target, "--build-arg", f"TORCH={torch}", "--tag", tag, ROOT]
            docker.run("build", *words, within_s=BUILDING_S, variables={"DOCKER_BUILDKIT": "1"})
            found.seconds[target] = round(time.monotonic() - began)
            found.sizes_mb[target] = docker.inspect(tag)["Size"] // 10**6
        yield found
    finally:
        for tag in found.tags.values():
            docker.call([docker.client, "image", "rm", "--force", tag], 300)


def _stand_in(docker: Docker, folder: Path) -> None:
    """Give a Debian with Python 3.11, and one with PostgreSQL, the names of the published images."""
    if not docker.own:
        pytest.skip("stand-ins bear the names of published images: they are made only in an engine of the tests' own")
    if shutil.which("debootstrap") is None:
        pytest.skip("no debootstrap, which the stand-ins are made with: apt-get install debootstrap")
    root = folder / "root"
    packages = "--include=ca-certificates,python3,python3-venv,python3-pip"
    try:
        _must(["debootstrap", "--variant=minbase", packages, "bookworm", str(root), *_mirror()])
    finally:
        unmount(root)  # /proc and /sys, where it was cut short
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    _as_here(root)
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    changes = [PATHS, f"ENV SSL_CERT_FILE={certificates}", f"ENV PIP_CERT={certificates}", "LABEL hpo.stand-in=true"]
    archive = folder / "root.tar"
    _must(["tar", "-C", str(root), "-cf", str(archive), "."])
    docker.run("import", *(word for each in changes for word in ("--change", each)), archive, PYTHON, within_s=600)
    archive.unlink()
    shutil.rmtree(root)
    file = STAND_INS / "postgres.Dockerfile"
    words = ["--network", "host", "--build-arg", f"PYTHON={PYTHON}", "--tag", POSTGRES, "--file", file]
    docker.run("build", *words, STAND_INS, within_s=900, variables={"DOCKER_BUILDKIT": "1"})


def _mirror() -> list[str]:
    """Return the first place that this machine's own packages come from, for debootstrap."""
    for file in sorted(Path("/etc/apt").rglob("*.sources")):
        if found := re.search(r"^URIs:\s*(\S+)", file.read_text(), re.MULTILINE):
            return [found[1]]
    return []


def _as_here(root: Path) -> None:
    """Let the image reach packages as this machine does: certificates, apt's and pip's settings."""
    for name in ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf"):
        if (Path("/") / name).exists():
            shutil.copyfile(Path("/") / name, root / name)
    for name in ("etc/apt/sources.list.d", "etc/apt/apt.conf.d"):
        if (Path("/") / name).exists():
            shutil.copytree(Path("/") / name, root / name, dirs_exist_ok=True)
    if any((root / "etc/apt/sources.list.d").glob("*.sources")):
        (root / "etc/apt/sources.list").write_text("")


def _must(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
