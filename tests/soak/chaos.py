"""Workers, a PostgreSQL, an MLflow server and a hand that breaks them: the budget is exact, nothing is lost or doubled.

``python -m tests.soak.chaos --deaths 200 --restarts 20 --seed 1`` (``make soak``) prints what was done and what held.
Every node has a folder and a proxy to the database of its own. Most of them fake their trainings, two are
``hpo worker`` as it is typed, with trainings of YOLO. When enough trials have died and enough servers were restarted,
the budget of the live study is set to a few more trials than were begun, and the study ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, func, make_url, select
from sqlalchemy.exc import OperationalError

from hpo.dataset import digits
from hpo.settings import Settings
from hpo.study.database import tables
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import StudyRow
from hpo.study.studies import snapshot
from hpo.study.studies.controls import set_budget
from hpo.study.studies.lifecycle import load
from hpo.study.studies.progress import finished, progress
from hpo.trial.vocabulary import Reason
from tests import postgres
from tests.soak import tracked
from tests.soak.fake import Pace
from tests.soak.node import ROOT, FakeNode, Node, Place, RealNode
from tests.soak.proxy import Proxy
from tests.soak.tracked import Tracking
from tests.study.session import invariants

LEASE_S = 2.0
EPOCHS = 6
HARMS = {"SIGKILL": 6, "SIGSTOP": 3, "cut": 3, "reset": 2, "slow": 2, "SIGTERM": 2}
"""Actions against a node, and their relative frequency."""
STUDY = """\
name: soak
data: {data}
model: {model}
train: {{epochs: {epochs}, imgsz: 64, batch: 8, optimizer: AdamW, warmup_epochs: 1, close_mosaic: 1, workers: 0}}
space:
  lr0: {{low: 1e-4, high: 3e-2, log: true}}
  mosaic: {{low: 0, high: 1}}
objective: map50
search: {{seed: {seed}, sampler: random, pruner: median}}
budget: {{trials: 100000}}
recovery: {{lease_s: {lease_s}, retries: 100, grace_s: 5}}
"""


@dataclass
class Plan:
    workers: int = 8
    """Number of nodes."""
    real: int = 2
    """Number of workers that train YOLO."""
    deaths: int = 20
    """Number of trials that must die."""
    restarts: int = 4
    """Number of restarts, of PostgreSQL and MLflow in turn."""
    last: int = 12
    """Number of trials to begin after the last failure."""
    seed: int = 0
    limit_s: float = 600.0
    epoch_s: float = 0.5
    enqueued: float = 0.0
    """Share of the failures after which Optuna's own call enqueues a trial; every third one lies outside the space."""
    sqlite: int = 0
    """1: the study's database is a SQLite file. PostgreSQL then holds MLflow's runs alone, and a node loses no network.
    """


@dataclass
class Chaos:
    plan: Plan
    storage: Storage
    study: StudyRow
    server: postgres.Server
    tracking: Tracking
    nodes: list[Node]
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.plan.seed)
        self.end = time.monotonic() + self.plan.limit_s

    def run(self) -> None:
        """Cause failures until the plan is met, then let every node finish."""
        for node in self.nodes:
            node.start()
        while not self._enough():
            self._tend()
            self._harm(self.random.choices(self.nodes, [node.harm for node in self.nodes])[0])
            if self.random.random() < self._restart_rate():
                self._restart()
            if self.random.random() < self.plan.enqueued:
                self._enqueue()
            self._pause(self.random.uniform(0.1, 0.8))
        now = self.storage.read(lambda connection: progress(connection, self.study.id))
        for node in self.nodes:
            node.go_on()
        set_budget(self.storage, self.study, "soak", trials=now.issued + self.plan.last, hours=None)
        while self._is_open():
            self._tend()
            self._pause(0.5)
        for node in self.nodes:
            assert node.wait(120) in (0, 143), f"{node.place.folder.name} ended with {node.poll()}"

    def _pause(self, seconds: float) -> None:
        assert time.monotonic() < self.end, f"not finished in time: {self.done}, {self._dead()} trials died"
        time.sleep(seconds)

    def _tend(self) -> None:
        """Repair what has been broken long enough, and restart workers that have ended."""
        for node in self.nodes:
            if node.stopped_until is not None and time.monotonic() > node.stopped_until:
                node.go_on()
            code = node.poll()
            if code is not None:
                node.codes.append(code)
                node.start()

    def _enough(self) -> bool:
        return self._dead() >= self.plan.deaths and self.done.get("restart", 0) >= self.plan.restarts

    def _dead(self) -> int:
        mine = (tables.trials.c.study_id == self.study.id, tables.trials.c.reason == Reason.KILLED)
        return self.storage.read(lambda connection: connection.execute(select(func.count()).where(*mine)).scalar_one())

    def _is_open(self) -> bool:
        now = self.storage.read(lambda connection: progress(connection, self.study.id))
        return finished(self.study.spec, now) is None

    def _restart_rate(self) -> float:
        """Return whether the restarts are as far as the deaths."""
        due = self._dead() / max(self.plan.deaths, 1) * self.plan.restarts
        return 0.0 if self.done.get("restart", 0) > due else 0.2

    def _restart(self) -> None:
        which = (self.server, self.tracking)[self.done.get("restart", 0) % 2]
        self._count("restart")
        which.restart()

    def _enqueue(self) -> None:
        import optuna

        lr0 = (2e-3, 1e-2, 5.0)[self.done.get("enqueued", 0) % 3]
        url = self.storage.url.render_as_string(hide_password=False)
        try:
            optuna.load_study(study_name=self.study.name, storage=url).enqueue_trial({"lr0": lr0})
        except (OperationalError, optuna.exceptions.StorageInternalError):
            self._count("not enqueued")  # on SQLite Optuna waits 5 s for a stopped node that holds the lock
        else:
            self._count("enqueued")

    def _harm(self, node: Node) -> None:
        if node.poll() is not None or node.stopped_until is not None:
            return
        harms = {how: often for how, often in HARMS.items() if how.isupper() or not self.plan.sqlite}
        how = self.random.choices(list(harms), list(harms.values()))[0]
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


def soak(plan: Plan, root: Path) -> dict[str, int]:
    """Return what was done and how many trials died. Raises AssertionError if an invariant does not hold."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.Server.make())
        shared = make_url(server.url).set(drivername="postgresql+psycopg")
        mlflow_url = postgres.create_database(server.url)
        head = root / "head"
        head.mkdir()
        url = URL.create("sqlite", database=str(head / "hpo.db")) if plan.sqlite else shared
        tracking = stack.enter_context(
            Tracking(head, make_url(mlflow_url).set(drivername="postgresql+psycopg").render_as_string(False))
        )
        settings = Settings(head, url.render_as_string(hide_password=False), tracking.uri, None)
        data = _create(plan, settings)
        storage = stack.enter_context(open_storage(settings.storage_url, create=False))
        study = load(storage, "soak")
        nodes = [
            _node(number, plan, stack.enter_context(Proxy(server.port)), settings) for number in range(plan.workers)
        ]
        chaos = Chaos(plan, storage, study, server, tracking, nodes)
        try:
            chaos.run()
            study = load(storage, "soak")  # its budget has changed
            invariants.check_end(storage, study)
            held = tracked.check(settings, storage, study)
        except BaseException:
            for node in nodes:
                print(f"--- {node.log} {node.codes}\n{node.log.read_text()[-2000:]}")  # noqa: T201
            raise
        finally:
            for node in nodes:
                node.go_on()
                node.send(signal.SIGKILL)
        return _summary(chaos, held) | {"images": len(list((data.parent / "images" / "train").iterdir()))}


def _create(plan: Plan, settings: Settings) -> Path:
    """Make the study with ``hpo create``, as typed by a user; return its data.yaml."""
    data = digits.make(settings.home / "digits")
    file = settings.home / "soak.yaml"
    model = ROOT / "configs" / "models" / "yolov8-w0625-r4.yaml"
    file.write_text(STUDY.format(data=data, model=model, epochs=EPOCHS, seed=plan.seed, lease_s=LEASE_S))
    own = {"HPO_HOME": str(settings.home), "HPO_STORAGE": settings.storage_url}
    command = [sys.executable, "-m", "hpo", "create", str(file)]
    subprocess.run(
        command, check=True, cwd=ROOT, env={**os.environ, **own, "MLFLOW_TRACKING_URI": settings.tracking_uri}
    )
    return data


def _node(number: int, plan: Plan, proxy: Proxy, settings: Settings) -> Node:
    real = number < plan.real
    folder = settings.home.parent / f"node{number}-{'yolo' if real else 'fake'}"
    folder.mkdir()
    url = settings.storage_url
    if not plan.sqlite:
        url = make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
    place = Place("soak", url, settings.tracking_uri, folder)
    if real:
        return RealNode(place, proxy, harm=0.15)  # it takes long to start
    return FakeNode(place, proxy, 1.0, Pace(EPOCHS, plan.epoch_s, crash_rate=0.02))


def _summary(chaos: Chaos, held: dict[str, int]) -> dict[str, int]:
    rows = snapshot.trials(chaos.storage, chaos.study)
    real = [row for row in rows if row.folder is not None and "-yolo" in row.folder]
    return {
        **chaos.done,
        "trials": len(rows),
        "killed": sum(row.reason is Reason.KILLED for row in rows),
        "complete": sum(row.reason is Reason.COMPLETE for row in rows),
        "pruned": sum(row.reason is Reason.PRUNED for row in rows),
        "enqueued outside the space": sum(row.reason is Reason.DATA for row in rows),
        "YOLO trials": len(real),
        "YOLO complete": sum(row.reason is Reason.COMPLETE for row in real),
        "YOLO pruned": sum(row.reason is Reason.PRUNED for row in real),
        "resumed": sum(attempt.resumed_from > 0 for row in rows for attempt in row.attempts),
        "worker starts": sum(len(node.codes) + 1 for node in chaos.nodes),
        **held,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    plan = Plan()
    for name in vars(plan):
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(getattr(plan, name)), default=getattr(plan, name))
    plan = Plan(**vars(parser.parse_args()))
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="hpo-soak-"))  # kept if something does not hold
    found = soak(plan, root)
    shutil.rmtree(root)
    print(json.dumps(found, indent=2))  # noqa: T201
    print(f"held, in {time.monotonic() - began:.0f} s: budget exact, nothing lost or doubled, MLflow equal")  # noqa: T201


if __name__ == "__main__":
    main()
