"""A worker that kills itself at a named point.

Its trials die, are given back, complete and are retried, so that every point is reached.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from hpo.study.database.storage import open_storage
from hpo.study.records import Upload
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies.lifecycle import load
from hpo.trial.messages import encode
from hpo.trial.vocabulary import Reason
from tests.study.support import OUTSIDE, begin, ended, epoch_report


def work(url: str, folder: Path, fatal: str) -> None:
    """Begin trials in the study of ``url`` until the point named ``fatal`` is reached."""

    def failpoint(point: str) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_storage(url, create=False) as storage:
        session = WorkerSession(storage, load(storage, "digits"), "dying", OUTSIDE, failpoint=failpoint)
        session.reap()
        for reason in (Reason.CRASH, Reason.GIVEN_BACK, Reason.COMPLETE, Reason.PRUNED):
            proposal = session.admit()
            assert proposal is not None
            attempt = folder / f"{proposal.number:05d}-{proposal.attempt}"
            attempt.mkdir()
            begin(session, proposal, attempt)
            checkpoint = attempt / "checkpoint.pt"
            for epoch in range(proposal.resume_epoch + 1, 4):
                session.report(proposal.token, epoch_report(epoch, epoch / 10))
                checkpoint.touch()
                session.checkpointed(proposal.token, epoch, str(checkpoint))
                session.uploads.add(proposal.token, Upload(epoch, "0" * 64, f"{checkpoint}/{epoch}"))
            message = ended(reason, 0.5 if reason is Reason.COMPLETE else None, epochs=3)
            if reason is Reason.COMPLETE:
                (attempt / "ended.json").write_bytes(encode(message))
            session.end(proposal.token, message)
