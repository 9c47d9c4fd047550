"""Records an attempt's messages: first in the database, then for observers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hpo.errors import StorageUnavailable
from hpo.orchestration.patience import Patience
from hpo.orchestration.uploading import Uploading
from hpo.study.records import Proposal
from hpo.study.session.recording import Answered
from hpo.study.session.worker_session import WorkerSession
from hpo.trial import checkpoints
from hpo.trial.messages import Answer, EpochReport
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import Mirror, Watcher
from hpo.trial.vocabulary import Scalar

RETRY_S = 5.0


@dataclass(frozen=True)
class Disk:
    """The place of an attempt's files, and the service that uploads its checkpoints."""

    paths: AttemptPaths
    uploads: Uploading


class AttemptRecorder:
    """Writes an attempt's messages to the database, in order.

    While the database is away the training goes on, and its messages wait here. Each call may raise ``ClaimLost``; the
    training must then be ended.
    """

    def __init__(
        self, proposal: Proposal, session: WorkerSession, mirror: Mirror, watcher: Watcher, disk: Disk
    ) -> None:
        self._proposal = proposal
        self._session = session
        self._mirror = mirror
        self._watcher = watcher
        self._paths = disk.paths
        self._uploads = disk.uploads
        self._waiting: deque[Callable[[], Answered | None]] = deque()
        self._retry_at = 0.0

    @property
    def lost(self) -> bool:
        return self._session.lost(self._proposal.token)

    def started(self, effective: dict[str, Scalar], resumed_from: int) -> None:
        self._waiting.append(lambda: self._session.started(self._proposal.token, effective, resumed_from))
        self._write()

    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        self._watcher.progress(self._proposal.number, stage, epoch, fraction)
        if self._waiting:
            self._write()

    def took_memory(self, mib: float) -> None:
        self._waiting.append(lambda: self._session.took_memory(self._proposal.token, mib))
        self._write()

    def report(self, report: EpochReport) -> Answer:
        self._waiting.append(lambda: self._session.report(self._proposal.token, report))
        answered = self._write()
        self._mirror.touch(self._proposal.number)
        self._watcher.epoch_ended(self._proposal.number, report)
        return Answer.PRUNE if answered is not None and answered.prune else Answer.GO_ON

    def checkpointed(self, epoch: int) -> None:
        path = str(checkpoints.path_of(self._paths.checkpoints, epoch))
        self._waiting.append(lambda: self._session.checkpointed(self._proposal.token, epoch, path))
        self._uploads.checkpointed(self._proposal.token)
        self._write()

    def settle(self, patience: Patience) -> None:
        """Write every message that waits."""
        while self._waiting:
            patience.call(self._waiting[0])
            self._waiting.popleft()

    def _write(self) -> Answered | None:
        """Return the answer to the last message; None where it could not be written yet."""
        answered: Answered | None = None
        if time.monotonic() < self._retry_at:
            return None
        while self._waiting:
            try:
                answered = self._waiting[0]()
            except StorageUnavailable:
                self._retry_at = time.monotonic() + RETRY_S
                return None
            self._waiting.popleft()
        return answered
