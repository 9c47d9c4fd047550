"""Attempts with uploaded checkpoints, for tests of the uploads and of the attempts that resume from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from hpo.orchestration.resumption import Resumption
from hpo.orchestration.uploads import Uploads
from hpo.study.database.tables import attempts
from hpo.study.records import Proposal
from hpo.study.session.recording import Place
from hpo.study.session.worker_session import WorkerSession
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason
from tests.orchestration.stores import never
from tests.study.support import ended, epoch_report


class Attempt:
    """An attempt that trains on request, in its own folder on node ``node``."""

    def __init__(self, session: WorkerSession, uploads: Uploads, node: Path) -> None:
        proposal = session.admit()
        assert proposal is not None
        self.session, self.uploads = session, uploads
        self.paths = AttemptPaths.of(node, proposal.number, proposal.attempt)
        self.paths.checkpoints.mkdir(parents=True)
        store = uploads._store
        self.start = Resumption(proposal, self.paths, store, never).start()
        self.proposal: Proposal = replace(proposal, resume_epoch=self.start.epoch)
        self.done = self.start.known
        begin_at(session, proposal, self.paths.folder, self.start.epoch)
        uploads.follow(self.proposal, self.paths)

    @property
    def token(self) -> str:
        return self.proposal.token

    def epochs(self, *epochs: int) -> None:
        for epoch in epochs:
            self.session.report(self.token, epoch_report(epoch, epoch / 100))
            checkpoints.write(self.paths.checkpoints, epoch, self.token, lambda file: file.write(b"state" * 1000))
            self.session.checkpointed(self.token, epoch, str(checkpoints.path_of(self.paths.checkpoints, epoch)))
            self.uploads.checkpointed(self.token)

    def ends(self, reason: Reason) -> None:
        self.session.end(self.token, ended(reason, 0.5 if reason is Reason.COMPLETE else None))
        self.uploads.forget(self.token)

    def wait_for_upload(self, epoch: int) -> None:
        wait_for(lambda: epoch in self.uploaded())

    def uploaded(self) -> list[int]:
        rows = self.session._context.storage
        mine = select(attempts.c.uploads).where(attempts.c.token == self.token)
        raw = rows.read(lambda connection: connection.execute(mine).scalar_one())
        return [int(upload["epoch"]) for upload in raw]


def begin_at(session: WorkerSession, proposal: Proposal, folder: Path, epoch: int) -> None:
    train = {"epochs": 10, "warmup_epochs": 0.0}
    place = Place(str(folder))
    session.begin(proposal.token, train, None, place, epoch)


Make = Callable[..., Attempt]


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)
