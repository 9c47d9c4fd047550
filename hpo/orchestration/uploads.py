"""Uploads checkpoints in the background, so that a trial can be finished on another machine.

Training never waits for the store and never fails because of it. The row that makes an upload count is written after
it, and carries the attempt's token: who lost the trial deletes what it has uploaded.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hpo.errors import ClaimLost, HpoError, StorageUnavailable
from hpo.study.records import Proposal, Upload
from hpo.trial import checkpoints
from hpo.trial.checkpoints import Saved
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import CheckpointStore

log = logging.getLogger(__name__)
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
_STEP_S = 0.1


class Rows(Protocol):
    """What is written of uploads; see ``hpo.study.session.worker_session.WorkerSession``."""

    def lost(self, token: str) -> bool: ...

    def uploaded(self, token: str, upload: Upload) -> list[Upload]: ...

    def forget_uploads(self, token: str, gone: list[Upload]) -> None: ...

    def uploads_left(self) -> dict[int, list[Upload]]: ...

    def uploads_cleared(self, ordinal: int) -> None: ...


class Uploading(Protocol):
    """What a worker needs; there is one that does nothing, for where there is no store to reach."""

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None: ...

    def checkpointed(self, token: str) -> None: ...

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool: ...

    def forget(self, token: str) -> None: ...

    def close(self, within_s: float) -> None: ...


class NoUploads:
    """Checkpoints stay on this machine."""

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None:
        """Nothing."""

    def checkpointed(self, token: str) -> None:
        """Nothing."""

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool:  # noqa: ARG002
        return False

    def forget(self, token: str) -> None:
        """Nothing."""

    def close(self, within_s: float) -> None:
        """Nothing."""


@dataclass
class _Attempt:
    proposal: Proposal
    paths: AttemptPaths
    due: float
    """Monotonic time of its next upload."""
    fresh: bool = False
    """Whether a checkpoint was written since the last upload began."""
    epoch: int = 0
    """Of the newest upload that is in the database."""
    stored: Upload | None = None
    """Lies in the store, not yet in the database."""
    urgent: bool = False
    """Is handed over: now, and once."""
    handed: threading.Event | None = None

    @property
    def token(self) -> str:
        return self.proposal.token


class Uploads:
    """One daemon thread a worker. All calls but ``hand_over`` and ``close`` return at once; none raises."""

    def __init__(self, rows: Rows, store: CheckpointStore, every_s: float) -> None:
        self._rows = rows
        self._store = store
        self._every_s = every_s
        self._changed = threading.Condition()
        self._attempts: dict[str, _Attempt] = {}
        self._clearing = True
        """Whether trials may have ended whose uploads are to go."""
        self._closing = False
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._thread = threading.Thread(target=self._run, name="checkpoint-uploads", daemon=True)
        self._thread.start()

    def follow(self, proposal: Proposal, paths: AttemptPaths) -> None:
        """The attempt begins; its checkpoints will lie at ``paths``."""
        held = max((each.epoch for before in proposal.earlier for each in before.uploads), default=0)
        with self._changed:
            due = time.monotonic() + self._every_s
            self._attempts[proposal.token] = _Attempt(proposal, paths, due, epoch=min(held, proposal.resume_epoch))

    def checkpointed(self, token: str) -> None:
        """A checkpoint is in place."""
        with self._changed:
            if token in self._attempts:
                self._attempts[token].fresh = True
                self._changed.notify_all()

    def hand_over(self, token: str, within_s: float, hurried: Callable[[], bool]) -> bool:
        """Uploads the newest checkpoint now; whether it is in the database, or was already.

        One try, for ``within_s`` at most, and no longer than until ``hurried``. To be called before the trial is given
        back, which ends the right to write.
        """
        handed = threading.Event()
        with self._changed:
            attempt = self._attempts.get(token)
            if attempt is None:
                return False
            attempt.urgent, attempt.handed = True, handed
            self._changed.notify_all()
        until = time.monotonic() + within_s
        while not handed.wait(_STEP_S):
            if time.monotonic() > until or hurried():
                log.warning("trial %s is given back before its checkpoint is uploaded", attempt.proposal.number)
                return False
        newest = checkpoints.newest(attempt.paths.checkpoints, token)
        return newest is not None and attempt.epoch >= newest.epoch

    def forget(self, token: str) -> None:
        """The attempt ended, was given back or lost: nothing more of it is uploaded."""
        with self._changed:
            self._attempts.pop(token, None)
            self._clearing = True
            self._changed.notify_all()

    def close(self, within_s: float) -> None:
        """Waits for what goes on; what of it is left undone, the next worker's beginning does."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(within_s)

    def _run(self) -> None:
        while True:
            attempt, clearing = self._next()
            if attempt is None and not clearing:
                return
            urgent = attempt is not None and attempt.urgent
            try:
                if attempt is not None:
                    self._advance(attempt)
                else:
                    self._clear()
            except ClaimLost as lost:
                log.info("upload: %s", lost)
                self._drop(attempt)
            except Exception as error:  # noqa: BLE001  (whatever it is, it must not end a training)
                self._put_off(attempt, error)
            else:
                self._succeed()
            if urgent and attempt is not None and attempt.handed is not None:
                attempt.urgent = False
                attempt.handed.set()

    def _next(self) -> tuple[_Attempt | None, bool]:
        """What is to be done, as soon as there is anything: an attempt, or the clearing; neither: the thread's end."""
        with self._changed:
            while True:
                urgent = next((each for each in self._attempts.values() if each.urgent), None)
                if urgent is not None:
                    return urgent, False
                now = time.monotonic()
                ready = [each for each in self._attempts.values() if each.stored is not None or each.fresh]
                due = [each for each in ready if max(each.due, self._resume_at) <= now]
                if due and not self._closing:
                    return min(due, key=lambda each: each.due), False
                if self._clearing and (self._closing or self._resume_at <= now):
                    self._clearing = False
                    return None, True
                if self._closing:
                    return None, False
                waiting = [max(each.due, self._resume_at) for each in ready]
                waiting += [self._resume_at] if self._clearing else []
                self._changed.wait(min(waiting) - now if waiting else None)

    def _advance(self, attempt: _Attempt) -> None:
        """Stores the newest checkpoint if it is newer than what was uploaded, then its row, then drops the others."""
        if self._rows.lost(attempt.token):
            raise ClaimLost(f"trial {attempt.proposal.number} is someone else's: nothing more of it is uploaded")
        if attempt.stored is None:
            attempt.fresh, attempt.due = False, time.monotonic() + self._every_s
            saved = checkpoints.newest(attempt.paths.checkpoints, attempt.token)
            if saved is None or saved.epoch <= attempt.epoch:
                return
            try:
                attempt.stored = self._put(attempt, saved)
            except BaseException:
                attempt.fresh = True
                raise
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
        try:
            for ordinal, uploads in self._rows.uploads_left().items():
                for folder in {upload.location.rpartition("/")[0] for upload in uploads}:
                    self._store.delete(folder)
                self._rows.uploads_cleared(ordinal)
        except BaseException:
            self._clearing = not self._closing
            raise

    def _put_off(self, attempt: _Attempt | None, error: Exception) -> None:
        with self._changed:
            first = self._pause_s == 0
            self._pause_s = min(max(FIRST_PAUSE_S, 2 * self._pause_s), LONGEST_PAUSE_S)
            self._resume_at = time.monotonic() + self._pause_s
        what = "old checkpoints are not deleted" if attempt is None else "checkpoints are not uploaded"
        if first or not isinstance(error, StorageUnavailable):
            log.warning("%s for now, training goes on: %s", what, error)

    def _succeed(self) -> None:
        with self._changed:
            was_away, self._pause_s, self._resume_at = self._pause_s > 0, 0.0, 0.0
        if was_away:
            log.warning("checkpoints are uploaded again")

    def _drop(self, attempt: _Attempt | None) -> None:
        with self._changed:
            if attempt is not None:
                self._attempts.pop(attempt.token, None)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # file systems without hard links
        shutil.copyfile(source, target)
