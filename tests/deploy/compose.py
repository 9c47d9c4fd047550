"""docker-compose.yml as data, and its services started natively with the same commands, variables and order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import ROOT

FILE = ROOT / "docker-compose.yml"
WITHOUT_GPU = ROOT / "docker-compose.cpu.yml"
ENTRYPOINT = ROOT / "deploy" / "entrypoint.sh"


def services(variables: Mapping[str, str], file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Return the services of a file by name, with ``variables`` filled in."""
    return dict(loaded(variables, file)["services"])


def loaded(variables: Mapping[str, str], file: Path) -> dict[str, Any]:
    """Return a whole file, with ``variables`` filled in."""
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1], found[2]), file.read_text())
    whole: dict[str, Any] = YAML(typ="safe").load(text)
    return whole


def order(found: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the names in an order in which every service comes after those that it depends on."""
    done: list[str] = []
    while len(done) < len(found):
        ready = [name for name in found if name not in done and set(found[name].get("depends_on", {})) <= set(done)]
        assert ready, f"a circle among {set(found) - set(done)}"
        done += ready
    return done


@dataclass(frozen=True)
class Native:
    """Native processes instead of the containers: paths become folders here, names and ports become loopback's."""

    folder: Path
    ports: dict[str, int]
    """Host port of each service's own port, by ``service:port``."""

    def text(self, value: str) -> str:
        for path in ("/run/secrets", "/artifacts", "/runs", "/data", "/studies"):
            value = re.sub(rf"(?<![\w/.]){path}(?=/|$)", str(self.folder / path.strip("/")), value)
        for place, port in self.ports.items():
            value = value.replace(place, f"127.0.0.1:{port}")
        return value.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  natively nothing leaves this machine

    def command(self, name: str, service: dict[str, Any]) -> list[str]:
        own = {place.partition(":")[2]: str(port) for place, port in self.ports.items() if place.startswith(f"{name}:")}
        return [str(ENTRYPOINT), *(own.get(word, self.text(word)) for word in service["command"])]

    def environment(self, service: dict[str, Any]) -> dict[str, str]:
        """Return only the service's own variables; secrets that it does not mount are missing."""
        given = {name: self.text(str(value)) for name, value in service.get("environment", {}).items()}
        mounted = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
        for value in service.get("environment", {}).values():
            assert not str(value).startswith("/run/secrets/") or value in mounted, f"{value} is not mounted"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder / "tmp"), "PYTHONPATH": str(ROOT), **given}

    def run(self, name: str, service: dict[str, Any], command: list[str] | None = None) -> str:
        words = self.command(name, service | ({"command": command} if command else {}))
        done = subprocess.run(
            words, env=self.environment(service), cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def started(self, name: str, service: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(name, service),
                env=self.environment(service),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)

    def healthcheck(self, name: str, service: dict[str, Any]) -> bool:
        """Run the service's own check, as Docker would."""
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD"
        port = next(port for place, port in self.ports.items() if place.startswith(f"{name}:"))
        inside = next(place.partition(":")[2] for place in self.ports if place.startswith(f"{name}:"))
        words = [word.replace(f"127.0.0.1:{inside}", f"127.0.0.1:{port}") for word in words]
        return subprocess.run(words, env=self.environment(service), capture_output=True, check=False).returncode == 0
