"""Uploads of checkpoints in the background, so that a trial can be finished on another machine.

Training never waits for the store and never fails because of it. An upload counts once its row is written. The row is
written after the upload and carries the attempt's token. A worker that lost the trial deletes what it has uploaded.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpo.background import Job, Queue
from hpo.errors import ClaimLost, HpoError, OutsideStore, StorageUnavailable
from hpo.retry import Backoff
from hpo.study.records import Proposal, Upload
from hpo.study.session.worker_session import WorkerSession
from hpo.trial import checkpoints
from hpo.trial.checkpoints import Saved
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import CheckpointStore

log = logging.getLogger(__name__)
BACKOFF = Backoff(first_s=1.0, longest_s=60.0)
_STEP_S = 0.1
_CLEARING = ""
"""A value in the queue of tokens that asks for a clean-up of the store."""


@dataclass
class _Attempt:
    proposal: Proposal
    paths: AttemptPaths
    due: float
    """Monotonic time of its next upload, in seconds."""
    epoch: int = 0
    """Epoch of the newest upload that is in the database."""
    stored: Upload | None = None
    """The upload that is in the store and not yet in the database."""
    urgent: bool = False
    """Whether the attempt is handed over: then the newest checkpoint is uploaded right after the stored one."""


class Uploads:
    """Uploads checkpoints from one daemon thread for each worker.

    All calls return at once, except ``hand_over`` and ``close``. None raises.
    """

    def __init__(self, session: WorkerSession, store: CheckpointStore, every_s: float) -> None:
        """Start the thread, which first removes from the store what ended trials left there.

        ``every_s``: seconds between two uploads of one attempt, at least.
        """
        self._session = session
        self._store = store
        self._every_s = every_s
        self._attempts: dict[str, _Attempt] = {}
        job = Job(do=self._do, failed=self._failed, recovered=_say_that_it_is_back, order=_closing_order)
        self._queue = Queue(job, BACKOFF, "checkpoint-uploads")
        self._queue.put(_CLEARING)  # the uploads of trials that have ended meanwhile are removed

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None:
        """Follow an attempt that begins; its checkpoints will lie at ``paths``."""
        held = max((each.epoch for before in proposal.earlier for each in before.uploads), default=0)
        due = time.monotonic() + self._every_s
        self._attempts[proposal.token] = _Attempt(proposal, paths, due, epoch=min(held, proposal.resume_epoch))

    def checkpointed(self, token: str) -> None:
        """Note that a new checkpoint of the attempt is in place."""
        attempt = self._attempts.get(token)
        if attempt is not None:
            self._queue.put(token, attempt.due)

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool:
        """Upload the newest checkpoint now; return whether it is in the database.

        There is one try. It lasts at most ``within_s`` seconds and ends when ``hurried`` says so. Call this before the
        trial is given back: after that, the worker may write nothing more for it.
        """
        attempt = self._attempts.get(token)
        if attempt is None:
            return False
        attempt.urgent = True
        tried = self._queue.urge(token)
        until = time.monotonic() + within_s
        while not tried.wait(_STEP_S):
            if time.monotonic() > until or hurried():
                log.warning("trial %s is given back before its checkpoint is uploaded", attempt.proposal.number)
                return False
        newest = checkpoints.newest(attempt.paths.checkpoints, token)
        return newest is not None and attempt.epoch >= newest.epoch

    def forget(self, token: str) -> None:
        """Upload nothing more of an attempt that ended, was given back or was lost."""
        self._drop(token)
        self._queue.put(_CLEARING)

    def close(self, within_s: float) -> None:
        """Wait for the running upload, at most ``within_s`` seconds. The next worker completes what is left undone."""
        self._queue.close(within_s)

    def _do(self, key: str) -> None:
        attempt = self._attempts.get(key)
        if key == _CLEARING:
            self._clear()
        elif attempt is not None:
            self._advance(attempt)

    def _failed(self, key: str, error: Exception, first: bool) -> float | None:  # noqa: FBT001  (a callback)
        if isinstance(error, ClaimLost):
            log.info("upload: %s", error)
            self._drop(key)
            return None
        what = "old checkpoints are not deleted" if key == _CLEARING else "checkpoints are not uploaded"
        if first or not isinstance(error, StorageUnavailable):
            log.warning("%s for now, training goes on: %s", what, error)
        attempt, due = self._attempts.get(key), 0.0 if key == _CLEARING else None
        return due if attempt is None else attempt.due

    def _drop(self, token: str) -> None:
        self._attempts.pop(token, None)
        self._queue.drop(token)

    def _advance(self, attempt: _Attempt) -> None:
        """Store the newest checkpoint if it is newer than the last upload, then write its row, then drop the others."""
        if self._session.lost(attempt.proposal.token):
            raise ClaimLost(f"trial {attempt.proposal.number} is someone else's: nothing more of it is uploaded")
        if attempt.stored is None:
            attempt.due = time.monotonic() + self._every_s
            saved = checkpoints.newest(attempt.paths.checkpoints, attempt.proposal.token)
            if saved is None or saved.epoch <= attempt.epoch:
                return
            attempt.stored = self._put(attempt, saved)
        try:
            superseded = self._session.uploads.add(attempt.proposal.token, attempt.stored)
        except ClaimLost:
            with suppress(HpoError):
                self._store.delete(attempt.stored.location)
            raise
        attempt.epoch, attempt.stored = attempt.stored.epoch, None
        for upload in superseded:  # in the store first: while a row names an upload, anyone can delete it
            self._delete(upload.location)
        if superseded:
            self._session.uploads.forget(attempt.proposal.token, superseded)
        if attempt.urgent:
            self._advance(attempt)  # the checkpoint just written may have been an older one

    def _put(self, attempt: _Attempt, saved: Saved) -> Upload:
        """Upload from a hard link of its own, since the training drops its older checkpoints meanwhile."""
        proposal = attempt.proposal
        folder = attempt.paths.checkpoints / "checkpoint-upload"
        folder.mkdir(exist_ok=True)
        link = folder / f"{proposal.attempt:03d}-{saved.epoch:05d}-{saved.owner[:8]}.pt"
        link.unlink(missing_ok=True)
        try:
            _link(saved.path, link)
            location = self._store.put(link, f"{proposal.ordinal:05d}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Upload(saved.epoch, saved.sha256, location)

    def _clear(self) -> None:
        """Remove the uploads of all trials that ended for good, whoever trained them."""
        for ordinal, uploads in self._session.uploads.left().items():
            for folder in {upload.location.rpartition("/")[0] for upload in uploads}:
                self._delete(folder)
            self._session.uploads.clear(ordinal)

    def _delete(self, location: str) -> None:
        """Delete what a row names, unless it is none of the study's files: such a row must not keep the others."""
        try:
            self._store.delete(location)
        except OutsideStore as error:
            log.warning("an upload is not deleted: %s", error)


def _closing_order(key: str) -> int | None:
    """Return the place of the clean-up while the queue closes; None for attempts, which are not uploaded any more."""
    return 0 if key == _CLEARING else None


def _say_that_it_is_back() -> None:
    log.warning("checkpoints are uploaded again")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system has no hard links
        shutil.copyfile(source, target)
