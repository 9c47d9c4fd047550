"""Workers, a PostgreSQL and a hand that breaks them: the budget is exact, and nothing is lost or doubled.

``python -m tests.soak.chaos --seconds 600 --trials 400 --seed 1`` (``make soak``) prints what was done and what held.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from hpo.study import snapshot
from hpo.study.lifecycle import create_or_join
from hpo.study.progress import finished, progress
from hpo.study.records import StudyRow
from hpo.study.storage import Storage, open_storage
from hpo.trial.vocabulary import Reason
from tests.postgres import Server
from tests.soak.proxy import Proxy
from tests.study import invariants
from tests.study.support import FACTS, IDENTITY, study_spec

LEASE_S = 2.0
ROOT = Path(__file__).parents[2]


@dataclass
class Plan:
    workers: int = 8
    trials: int = 60
    deaths: int = 20
    restarts: int = 2
    seed: int = 0
    limit_s: float = 240.0
    epochs: int = 10
    epoch_s: float = 0.1


@dataclass
class Node:
    """A worker in a folder of its own, behind a proxy of its own."""

    url: str
    folder: Path
    proxy: Proxy
    plan: Plan
    process: subprocess.Popen[bytes] | None = None
    stopped_until: float | None = None

    def start(self) -> None:
        words = [self.url, str(self.folder), "2", str(self.plan.epochs), str(self.plan.epoch_s), "0.02"]
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "tests.soak.node", *words]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, signum: int) -> None:
        assert self.process is not None
        self.process.send_signal(signum)

    def go_on(self) -> None:
        self.stopped_until = None
        self.proxy.mend()
        if self.alive:
            self.send(signal.SIGCONT)


@dataclass
class Chaos:
    plan: Plan
    server: Server
    nodes: list[Node]
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.plan.seed)

    def run(self, storage: Storage, study: StudyRow) -> None:
        """Breaks things until enough is broken, then lets everyone finish."""
        end = time.monotonic() + self.plan.limit_s
        while self._is_open(storage, study):
            assert time.monotonic() < end, f"not finished in time: {self.done}"
            for node in self.nodes:
                if node.stopped_until is not None and time.monotonic() > node.stopped_until:
                    node.go_on()
                if not node.alive:
                    self._count("exit")
                    node.start()
            if self._deaths() < self.plan.deaths:
                self._harm(self.random.choice(self.nodes))
            if self.done.get("restart", 0) < self.plan.restarts and self.random.random() < 0.1:
                self._count("restart")
                self.server.restart()
            time.sleep(self.random.uniform(0.1, 1.0))
        for node in self.nodes:
            node.go_on()
            if node.process is not None:
                node.process.wait(60)

    def _is_open(self, storage: Storage, study: StudyRow) -> bool:
        now = storage.read(lambda connection: progress(connection, study.id))
        return finished(study.spec, now) is None

    def _deaths(self) -> int:
        return self.done.get("SIGKILL", 0) + self.done.get("SIGSTOP", 0) + self.done.get("cut", 0)

    def _harm(self, node: Node) -> None:
        if not node.alive or node.stopped_until is not None:
            return
        how = self.random.choices(["SIGKILL", "SIGSTOP", "cut", "reset", "slow", "SIGTERM"], [6, 3, 3, 2, 2, 2])[0]
        self._count(how)
        if how in ("SIGKILL", "SIGTERM"):
            node.send(signal.Signals[how])
            return
        if how == "reset":
            node.proxy.reset()
            return
        node.stopped_until = time.monotonic() + self.random.uniform(0.5, 3) * LEASE_S
        if how == "SIGSTOP":
            node.send(signal.SIGSTOP)
        elif how == "cut":
            node.proxy.cut()
        else:
            node.proxy.delay_s = self.random.uniform(0.01, 0.3)

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1


def soak(plan: Plan) -> dict[str, int]:
    """What was done, and how many trials died of it. Raises AssertionError where an invariant does not hold."""
    with ExitStack() as stack:
        server = stack.enter_context(Server())
        url = make_url(server.url).set(drivername="postgresql+psycopg")
        storage = stack.enter_context(open_storage(url.render_as_string(hide_password=False), create=True))
        spec = study_spec(pruner="median", trials=plan.trials, retries=50, baseline=True, lease_s=LEASE_S)
        study = create_or_join(storage, spec, IDENTITY, FACTS)
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hpo-soak-")))
        nodes = []
        for number in range(plan.workers):
            proxy = stack.enter_context(Proxy(server.port))
            folder = root / f"node{number}"
            folder.mkdir()
            nodes.append(Node(url.set(port=proxy.port).render_as_string(hide_password=False), folder, proxy, plan))
        chaos = Chaos(plan, server, nodes)
        try:
            chaos.run(storage, study)
            invariants.check_end(storage, study)
        except BaseException:
            for node in nodes:
                print(f"--- {node.folder.name}\n{(node.folder / 'log').read_text()[-3000:]}")  # noqa: T201
            raise
        finally:
            for node in nodes:
                if node.alive and node.process is not None:
                    node.process.kill()
                    node.process.wait()
        rows = snapshot.trials(storage, study)
        return chaos.done | {
            "trials": len(rows),
            "killed": sum(row.reason is Reason.KILLED for row in rows),
            "counted": sum(row.counts for row in rows),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    plan = Plan()
    for name in ("workers", "trials", "deaths", "restarts", "seed", "limit_s"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(getattr(plan, name)), default=getattr(plan, name))
    given = parser.parse_args()
    print(f"held: {soak(Plan(**vars(given)))}")  # noqa: T201


if __name__ == "__main__":
    main()
