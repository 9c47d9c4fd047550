"""Uploads checkpoints in the background, so that a trial can be finished on another machine.

Training never waits for the store and never fails because of it. The row that makes an upload count is written after
it, and carries the attempt's token: who lost the trial deletes what it has uploaded.
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
from hpo.errors import ClaimLost, HpoError, StorageUnavailable
from hpo.orchestration.uploading import Rows
from hpo.retry import Backoff
from hpo.study.records import Proposal, Upload
from hpo.trial import checkpoints
from hpo.trial.checkpoints import Saved
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import CheckpointStore

log = logging.getLogger(__name__)
BACKOFF = Backoff(first_s=1.0, longest_s=60.0)
_STEP_S = 0.1
_CLEARING = ""
"""Stands for the emptying of the store among the tokens of attempts."""


@dataclass
class _Attempt:
    proposal: Proposal
    paths: AttemptPaths
    due: float
    """Monotonic time of its next upload."""
    epoch: int = 0
    """Epoch of the newest upload that is in the database."""
    stored: Upload | None = None
    """Lies in the store, not yet in the database."""
    urgent: bool = False
    """Is handed over: after what is stored comes what is newest."""

    @property
    def token(self) -> str:
        return self.proposal.token


class Uploads:
    """One daemon thread a worker. All calls but ``hand_over`` and ``close`` return at once; none raises."""

    def __init__(self, rows: Rows, store: CheckpointStore, every_s: float) -> None:
        """Start the thread, which first removes from the store what ended trials left there.

        Args:
            rows: The database's rows about uploads.
            store: Where the files go.
            every_s: Seconds between two uploads of one attempt, at least.
        """
        self._rows = rows
        self._store = store
        self._every_s = every_s
        self._attempts: dict[str, _Attempt] = {}
        job = Job(do=self._do, failed=self._failed, recovered=_say_that_it_is_back, order=_closing_order)
        self._queue = Queue(job, BACKOFF, "checkpoint-uploads")
        self._queue.put(_CLEARING)  # trials may have ended whose uploads are to go

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None:
        """The attempt begins; its checkpoints will lie at ``paths``."""
        held = max((each.epoch for before in proposal.earlier for each in before.uploads), default=0)
        due = time.monotonic() + self._every_s
        self._attempts[proposal.token] = _Attempt(proposal, paths, due, epoch=min(held, proposal.resume_epoch))

    def checkpointed(self, token: str) -> None:
        """A checkpoint is in place."""
        attempt = self._attempts.get(token)
        if attempt is not None:
            self._queue.put(token, attempt.due)

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool:
        """Uploads the newest checkpoint now; whether it is in the database, or was already.

        One try, for ``within_s`` at most, and no longer than until ``hurried``. To be called before the trial is given
        back, which ends the right to write.
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
        """The attempt ended, was given back or lost: nothing more of it is uploaded."""
        self._drop(token)
        self._queue.put(_CLEARING)

    def close(self, within_s: float) -> None:
        """Waits for what goes on; what of it is left undone, the next worker's beginning does."""
        self._queue.close(within_s)

    def _do(self, key: str) -> None:
        if key == _CLEARING:
            self._clear()
            return
        attempt = self._attempts.get(key)
        if attempt is not None:
            self._advance(attempt)

    def _failed(self, key: str, error: Exception, first: bool) -> float | None:  # noqa: FBT001  (a callback)
        if isinstance(error, ClaimLost):
            log.info("upload: %s", error)
            self._drop(key)
            return None
        what = "old checkpoints are not deleted" if key == _CLEARING else "checkpoints are not uploaded"
        if first or not isinstance(error, StorageUnavailable):
            log.warning("%s for now, training goes on: %s", what, error)
        attempt = self._attempts.get(key)
        if attempt is not None:
            return attempt.due
        return 0.0 if key == _CLEARING else None

    def _drop(self, token: str) -> None:
        self._attempts.pop(token, None)
        self._queue.drop(token)

    def _advance(self, attempt: _Attempt) -> None:
        """Stores the newest checkpoint if it is newer than what was uploaded, then its row, then drops the others."""
        if self._rows.lost(attempt.token):
            raise ClaimLost(f"trial {attempt.proposal.number} is someone else's: nothing more of it is uploaded")
        if attempt.stored is None:
            attempt.due = time.monotonic() + self._every_s
            saved = checkpoints.newest(attempt.paths.checkpoints, attempt.token)
            if saved is None or saved.epoch <= attempt.epoch:
                return
            attempt.stored = self._put(attempt, saved)
        try:
            superseded = self._rows.uploaded(attempt.token, attempt.stored)
        except ClaimLost:
            with suppress(HpoError):
                self._store.delete(attempt.stored.location)
            raise
        attempt.epoch, attempt.stored = attempt.stored.epoch, None
        self._drop_superseded(attempt, superseded)
        if attempt.urgent:
            self._advance(attempt)  # what was written was an older one, perhaps

    def _drop_superseded(self, attempt: _Attempt, superseded: list[Upload]) -> None:
        """In the store first: what a row names is known, and can be deleted by whoever comes next."""
        for upload in superseded:
            self._store.delete(upload.location)
        if superseded:
            self._rows.forget_uploads(attempt.token, superseded)

    def _put(self, attempt: _Attempt, saved: Saved) -> Upload:
        """From a link of its own, since the training drops its older checkpoints meanwhile."""
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
        """Empties the store of what trials left that ended for good, whoever trained them."""
        for ordinal, uploads in self._rows.uploads_left().items():
            for folder in {upload.location.rpartition("/")[0] for upload in uploads}:
                self._store.delete(folder)
            self._rows.uploads_cleared(ordinal)


def _closing_order(key: str) -> int | None:
    """At the end nothing more is uploaded."""
    return 0 if key == _CLEARING else None


def _say_that_it_is_back() -> None:
    log.warning("checkpoints are uploaded again")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # file systems without hard links
        shutil.copyfile(source, target)
