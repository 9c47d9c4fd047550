"""Records an attempt's messages: first in the database, then for observers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hpo.errors import StorageUnavailable
from hpo.orchestration.patience import Patience
from hpo.orchestration.uploads import Uploads
from hpo.study.records import Proposal
from hpo.study.session.worker_session import WorkerSession
from hpo.trial import checkpoints
from hpo.trial.messages import Answer, EpochReport
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import Mirror, Watcher
from hpo.trial.vocabulary import Scalar

RETRY_S = 5.0


@dataclass
class AttemptRecorder:
    """Writes an attempt's messages to the database, in order.

    While the database is away the training goes on, and its messages wait here. Each call may raise ``ClaimLost``; the
    training must then be ended.
    """

    proposal: Proposal
    session: WorkerSession
    mirror: Mirror
    watcher: Watcher
    paths: AttemptPaths
    uploads: Uploads | None
    """Uploads its checkpoints; None keeps them on this machine."""
    _waiting: deque[Callable[[], bool | None]] = field(default_factory=deque)
    _retry_at: float = 0.0

    @property
    def lost(self) -> bool:
        return self.session.lost(self.proposal.token)

    def started(self, effective: dict[str, Scalar], resumed_from: int) -> None:
        self._write(lambda: self.session.started(self.proposal.token, effective, resumed_from))

    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        self.watcher.progress(self.proposal.number, stage, epoch, fraction)
        if self._waiting:
            self._write()

    def took_memory(self, mib: float) -> None:
        self._write(lambda: self.session.took_memory(self.proposal.token, mib))

    def report(self, report: EpochReport) -> Answer:
        prune = self._write(lambda: self.session.report(self.proposal.token, report))
        self.mirror.touch(self.proposal.number)
        self.watcher.epoch_ended(self.proposal.number, report)
        return Answer.PRUNE if prune else Answer.GO_ON

    def checkpointed(self, epoch: int) -> None:
        path = str(checkpoints.path_of(self.paths.checkpoints, epoch))
        if self.uploads is not None:
            self.uploads.checkpointed(self.proposal.token)
        self._write(lambda: self.session.checkpointed(self.proposal.token, epoch, path))

    def settle(self, patience: Patience) -> None:
        """Write every message that waits."""
        while self._waiting:
            patience.call(self._waiting[0])
            self._waiting.popleft()

    def _write(self, *messages: Callable[[], bool | None]) -> bool | None:
        """Add messages to those that wait; return the last one's answer, None where it could not be written yet."""
        self._waiting.extend(messages)
        answer: bool | None = None
        if time.monotonic() < self._retry_at:
            return None
        while self._waiting:
            try:
                answer = self._waiting[0]()
            except StorageUnavailable:
                self._retry_at = time.monotonic() + RETRY_S
                return None
            self._waiting.popleft()
        return answer
