"""Many workers on one PostgreSQL: how many connections they hold, and whether each gives its signs of life in time.

``python -m tests.soak.many --workers 40 --seconds 180`` (``make many``) prints what was seen. Each worker is a process
as ``hpo worker`` starts it, with a session, a heartbeat and a thread that reads what MLflow would show. The training is
a fake of one epoch a second that imports no torch.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from hpo.orchestration.stop import StopRequest, on_signals
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.study.database import tables
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import StudyRow
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.study.studies.lifecycle import create_or_join, load
from hpo.tracking.thread import ProjectionThread
from tests import postgres
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.node import NURSERY, Nobody
from tests.study.support import FACTS, IDENTITY, study_spec

LEASE_S = 20.0
EPOCHS = 60
EPOCH_S = 1.0
SLOTS = ("cpu",)


@dataclass(frozen=True)
class Seen:
    connections: int
    """Largest number of the workers' connections."""
    oldest_s: float
    """Largest age of a worker's last sign of life, in seconds."""
    epochs: int
    complaints: int
    """Lines in the logs of all workers: warnings, errors and traces."""
    codes: tuple[int, ...]
    """Exit codes of the workers, each once."""


def soak(workers: int, seconds: float, root: Path) -> Seen:
    """Let the workers train for a while, then end them by SIGTERM."""
    with postgres.Server.make() as server, open_storage(server.url, create=True) as storage:
        spec = study_spec(trials=100_000, sampler="random", pruner="none", lease_s=LEASE_S)
        study = create_or_join(storage, spec, IDENTITY, FACTS)
        processes = [_start(server.url, root / f"{number:03d}") for number in range(workers)]
        try:
            connections, oldest_s = _watch(storage, study, processes, time.monotonic() + seconds)
        finally:
            for process in processes:
                process.terminate()
        for process in processes:
            process.join(120)
        counted = select(func.count()).select_from(tables.epochs)
        epochs = storage.read(lambda connection: connection.execute(counted).scalar_one())
    complaints = sum(len(log.read_text().splitlines()) for log in root.glob("*/log"))
    codes = sorted({process.exitcode for process in processes if process.exitcode is not None})
    return Seen(connections, oldest_s, int(epochs), complaints, tuple(codes))


def _start(url: str, folder: Path) -> BaseProcess:
    folder.mkdir()
    process = NURSERY.Process(target=_worker, args=(url, folder), daemon=True)
    process.start()
    return process


def _watch(storage: Storage, study: StudyRow, processes: list[BaseProcess], until: float) -> tuple[int, float]:
    """Return the largest number of connections and the largest age of a sign of life."""
    connections, oldest_s = 0, 0.0
    while time.monotonic() < until:
        assert all(process.is_alive() for process in processes), "a worker has ended by itself"
        now, age_s = storage.read(lambda connection: _look(connection, study))
        connections, oldest_s = max(connections, now), max(oldest_s, age_s)
        time.sleep(0.5)
    return connections, oldest_s


def _look(connection: Connection, study: StudyRow) -> tuple[int, float]:
    workers = tables.workers
    seen = select(func.min(workers.c.seen_at)).where(workers.c.study_id == study.id, workers.c.ended_at.is_(None))
    first, now = connection.execute(seen).scalar(), connection.execute(select(tables.Now())).scalar_one()
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(connection.execute(others).scalar_one()), 0.0 if first is None else (now - first).total_seconds()


class Reading:
    """Reads from the database what MLflow would show, and writes nothing."""

    def __init__(self, storage: Storage, study: StudyRow) -> None:
        self._storage, self._study = storage, study

    def trial(self, number: int) -> None:
        snapshot.trial(self._storage, self._study, number)
        snapshot.epochs(self._storage, self._study, number)

    def study(self) -> None:
        snapshot.status(self._storage, self._study)

    def plots(self) -> None:
        snapshot.trials(self._storage, self._study)


def _worker(url: str, folder: Path) -> None:
    output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    logging.basicConfig(level=logging.WARNING, filename=folder / "log", force=True)
    stop = StopRequest()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with on_signals(stop), open_storage(url, create=False, lease_s=LEASE_S) as storage:
        study = load(storage, "digits")
        mirror = ProjectionThread(Reading(storage, study))
        with WorkerSession(storage, study, Life(folder.name, SLOTS), None) as session:
            services = Services(session, FakeLauncher(Pace(EPOCHS, EPOCH_S)), mirror, Nobody(), storage)
            Worker(study, Workspace(folder, "m.yaml", folder / "data.yaml", None, SLOTS), services, stop).run()
        mirror.close(10)
    os._exit(stop.exit_code)  # the fork server's children inherit its exit handlers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=180.0)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="hpo-many-"))  # kept if something does not hold
    seen = soak(given.workers, given.seconds, root)
    print(json.dumps(vars(seen), indent=2))  # noqa: T201
    check(seen, given.workers)
    shutil.rmtree(root)


def check(seen: Seen, workers: int) -> None:
    """Raise AssertionError if the workers held too many connections, or one was silent for too long."""
    assert seen.codes == (128 + signal.SIGTERM,), seen
    assert seen.complaints == 0, seen
    assert seen.oldest_s < LEASE_S / 2, f"a sign of life was missed: {seen}"
    assert seen.connections <= 2 * workers + 10, seen


if __name__ == "__main__":
    main()
