"""A node of a study under attack: a folder, a proxy to the database, and a worker that can be restarted."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from typing_extensions import override

from hpo.errors import HpoError
from hpo.launchers.environ import BLOCKED
from hpo.orchestration.stop import StopRequest, on_signals
from hpo.orchestration.workspace import Workspace
from hpo.settings import Settings
from hpo.study.database.storage import open_storage
from hpo.study.studies.lifecycle import load
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.ports import Mirror, Watcher
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reaction
from hpo.wiring.opening import LocalStudy
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.proxy import Proxy
from tests.study.support import OUTSIDE

ROOT = Path(__file__).parents[2]
NURSERY = multiprocessing.get_context("forkserver")
"""Fakes are forked from a process that has imported all they need: on few cores, a start must be cheap."""
NURSERY.set_forkserver_preload(
    ["tests.soak.node", "hpo.study.database.optuna_storage", "alembic.command", "mlflow", "psycopg"]
)


@dataclass(frozen=True)
class Place:
    """A node's knowledge of the study."""

    study: str
    url: str
    """URL of the database through the node's proxy."""
    tracking_uri: str
    folder: Path
    """The node's own folder; the node treats it as not shared."""


class Node(ABC):
    """A worker that is restarted when it ends."""

    def __init__(self, place: Place, proxy: Proxy, harm: float) -> None:
        """Store the arguments. ``harm`` is the frequency of failures, relative to the other nodes."""
        self.place = place
        self.proxy = proxy
        self.harm = harm
        self.stopped_until: float | None = None
        self.codes: list[int] = []

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""

    @property
    @abstractmethod
    def pid(self) -> int: ...

    def send(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def go_on(self) -> None:
        """Undo lasting failures."""
        self.stopped_until = None
        self.proxy.mend()
        self.send(signal.SIGCONT)

    def wait(self, seconds: float) -> int:
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"{self.place.folder.name} does not end"
            time.sleep(0.1)
        return code

    @property
    def log(self) -> Path:
        return self.place.folder / "log"


class RealNode(Node):
    """``hpo worker`` as typed by a user, with trainings of YOLO."""

    process: subprocess.Popen[bytes] | None = None

    @override
    def start(self) -> None:
        own = {"HPO_STORAGE": self.place.url, "MLFLOW_TRACKING_URI": self.place.tracking_uri}
        command = [sys.executable, "-m", "hpo", "worker", self.place.study, "--gpus", "cpu"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **own, "HPO_HOME": str(self.place.folder)}
            )

    @override
    def poll(self) -> int | None:
        return -1 if self.process is None else self.process.poll()

    @property
    @override
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


class FakeNode(Node):
    """The worker that ``hpo worker`` starts; everything is real except the training."""

    process: BaseProcess | None = None

    def __init__(self, place: Place, proxy: Proxy, harm: float, pace: Pace) -> None:
        super().__init__(place, proxy, harm)
        self._pace = pace

    @override
    def start(self) -> None:
        self.process = NURSERY.Process(target=_fake, args=(self.place, self._pace), daemon=True)
        self.process.start()

    @override
    def poll(self) -> int | None:
        return -1 if self.process is None else self.process.exitcode

    @property
    @override
    def pid(self) -> int:
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid


def _fake(place: Place, pace: Pace) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)  # a launcher may have started this forkserver, as for trainings
    output = os.open(place.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(threadName)s %(message)s")
    stop = StopRequest()
    settings = Settings(place.folder, place.url, place.tracking_uri, None)
    slots = ("cpu", "cpu")
    try:
        with on_signals(stop), open_storage(place.url, create=False, lease_s=2) as storage:
            study = load(storage, place.study)
            workspace = Workspace(
                settings.study_folder(study.name), "model.yaml", place.folder / "data.yaml", OUTSIDE, slots
            )
            LocalStudy(settings, storage, study, workspace, FakeLauncher(pace)).work(Nobody(), stop)
    except HpoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    sys.exit(stop.exit_code)


class Nobody(Watcher, Mirror):
    """Watcher and mirror that do nothing."""

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        return

    @override
    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        return

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        return

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        return

    @override
    def trial_lost(self, number: int) -> None:
        return

    @override
    def touch(self, number: int) -> None:
        return
