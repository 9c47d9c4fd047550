"""One project of docker compose: its commands, and what the study in it says of itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hpo import retry
from tests.compose.docker import Docker
from tests.compose.images import FILE, Built

STUDY = "composed"
LONGEST_S = 900.0
"""Longest wait for anything in the containers, on a busy machine of two cores."""
WITH_HEAD = ("migrate", "mlflow", "dashboard")


@dataclass(frozen=True)
class Project:
    """The services of docker-compose.cpu.yml under a name and in folders of their own."""

    docker: Docker
    name: str
    folder: Path
    compose: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        places = {f"HPO_{name.upper()}": str(self.folder / name) for name in ("data", "studies", "secrets")}
        return {**places, "HPO_STUDY": STUDY, "COMPOSE_PROJECT_NAME": self.name}

    def run(self, *words: str, within_s: float = LONGEST_S) -> str:
        """Return what ``docker compose`` prints; it must end well."""
        files = ["--file", str(FILE), "--file", str(self.folder / "images.yml")]
        done = self.docker.call([*self.compose, *files, *words], within_s, self.variables)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def containers(self, service: str | None = None) -> list[str]:
        """Return the ids of the project's containers, or of one service's (without those of ``run``)."""
        filters = [f"label=com.docker.compose.project={self.name}"]
        if service is not None:
            filters += [f"label=com.docker.compose.service={service}", "label=com.docker.compose.oneoff=False"]
        return self.docker.ids("container", *filters)

    def left(self) -> list[str]:
        """Return the ids of all that Docker holds of the project."""
        mine = f"label=com.docker.compose.project={self.name}"
        return [found for kind in ("container", "network", "volume") for found in self.docker.ids(kind, mine)]

    def state(self, container: str) -> dict[str, Any]:
        state: dict[str, Any] = self.docker.inspect(container)["State"]
        return state

    def ended(self, container: str) -> int:
        """Return the exit code of a container that has ended, or is about to."""
        self.wait(lambda: self.state(container)["Status"] == "exited", f"{container} has not ended")
        return int(self.state(container)["ExitCode"])

    def logs(self) -> str:
        """Return the ends of the logs of all containers."""
        ends = []
        for container in self.containers():
            command = [self.docker.client, "logs", "--tail", "40", container]
            done = self.docker.call(command, 60)
            ends.append(f"--- {self.docker.inspect(container)['Name']}\n{done.stdout}{done.stderr}")
        return "\n".join(ends)

    def wait(self, holds: Callable[[], bool], otherwise: str) -> None:
        assert retry.until(holds, within_s=LONGEST_S, every_s=1.0), f"{otherwise}\n{self.logs()}"


@dataclass(frozen=True)
class Observer:
    """A container of the worker's image and network that trains nothing and asks about the study."""

    project: Project
    container: str

    def json(self, *words: str) -> Any:
        return json.loads(self.project.docker.run("exec", self.container, "hpo", *words, "--json"))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("status", STUDY)
        return found

    def trial(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.json("trial", STUDY, str(number))
        return found

    def in_training(self, container: str) -> int | None:
        """Return the trial that a worker's container trains and has told an epoch of; None if there is none."""
        host = self.project.docker.inspect(container)["Config"]["Hostname"]
        for worker in self.status()["workers"]:
            if worker["host"] == host and worker["ended_at"] is None and worker["running"]:
                number = int(worker["running"][0]["number"])
                return number if self.trial(number)["curve"] else None
        return None

    def training(self, container: str) -> int:
        """Wait for a trial that the container trains, and return its number."""
        seen: list[int] = []

        def begun() -> bool:
            number = self.in_training(container)
            seen.extend([] if number is None else [number])
            return number is not None

        self.project.wait(begun, f"{container} trains nothing")
        return seen[-1]


def compose_of(docker: Docker) -> tuple[str, ...]:
    """Return the command: the plugin of the client, or the program of its own (1.29)."""
    if docker.call([docker.client, "compose", "version"], 60).returncode == 0:
        return (docker.client, "compose")
    if (program := shutil.which("docker-compose")) is not None:
        return (program,)
    pytest.skip("no docker compose on this machine: apt-get install docker-compose")


def write_images(folder: Path, built: Built) -> None:
    """Write the file that gives the services the images of the tests."""
    head = {name: {"image": built.tags["head"]} for name in WITH_HEAD}
    services = head | {"worker": {"image": built.tags["worker"]}}
    YAML(typ="safe").dump({"services": services}, folder / "images.yml")
