"""Where an attempt resumes: from the newest whole checkpoint, on this machine or in the store, or from epoch 1."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hpo import files, retry
from hpo.errors import HpoError, StorageUnavailable
from hpo.retry import Backoff
from hpo.study.records import Earlier, Proposal, Upload
from hpo.trial import checkpoints
from hpo.trial.checkpoints import Saved
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import CheckpointStore

log = logging.getLogger(__name__)
BACKOFF = Backoff(first_s=1.0, longest_s=1.0)
"""Pauses between tries to fetch a checkpoint from a store that does not answer."""


@dataclass(frozen=True)
class Start:
    """The point at which an attempt begins."""

    epoch: int = 0
    """Number of epochs that the checkpoint holds."""
    checkpoint: Path | None = None
    known: int = 0
    """Number of the checkpoint's epochs that are in the database already; the others are reported first."""


@dataclass(frozen=True)
class Resumption:
    """Looks for the start of one attempt.

    ``paths`` are the attempt's own; a checkpoint that is fetched is kept there. ``wait`` waits the given seconds for a
    store that does not answer; it returns False once no patience is left.
    """

    proposal: Proposal
    paths: AttemptPaths
    store: CheckpointStore | None
    wait: Callable[[float], bool]

    def start(self) -> Start:
        """Return the start with the most epochs; of equals, one on this machine. Reads, and may fetch, whole files."""
        for _, attempt, candidate in sorted(self._candidates(), key=lambda each: each[0], reverse=True):
            path = self._here(candidate) if isinstance(candidate, Saved) else self._fetched(candidate)
            if path is not None:
                return Start(candidate.epoch, path, self._known(attempt, candidate.epoch))
        return Start()

    def _candidates(self) -> Iterator[tuple[tuple[int, bool, int], Earlier, Saved | Upload]]:
        for attempt in self.proposal.earlier:
            for saved in checkpoints.found(AttemptPaths(Path(attempt.folder)).checkpoints, attempt.token):
                yield (saved.epoch, True, attempt.attempt), attempt, saved
            if self.store is not None:
                for upload in attempt.uploads:
                    yield (upload.epoch, False, attempt.attempt), attempt, upload

    def _known(self, attempt: Earlier, epoch: int) -> int:
        """Return how many epochs of the checkpoint are in the database.

        0 where a later attempt started before ``epoch``: the rows after that point belong to another training.
        """
        later = [other.resumed_from for other in self.proposal.earlier if other.attempt > attempt.attempt]
        return min(epoch, self.proposal.recorded) if all(start >= epoch for start in later) else 0

    def _here(self, saved: Saved) -> Path | None:
        if saved.is_whole():
            return saved.path
        log.warning("trial %s: %s is torn, damaged or gone; passed over", self.proposal.number, saved.path)
        return None

    def _fetched(self, upload: Upload) -> Path | None:
        folder = self.paths.checkpoints
        folder.mkdir(parents=True, exist_ok=True)
        with files.scratch(folder / "checkpoint-fetched") as aside:
            try:
                self._fetch(upload, aside)
                found = files.digest(aside)
                if found != upload.sha256:
                    raise HpoError(f"{upload.location}: sha256 {found[:12]}, not {upload.sha256[:12]}")  # noqa: TRY301
            except (HpoError, OSError) as error:
                log.warning("trial %s: its uploaded checkpoint is passed over: %s", self.proposal.number, error)
                return None
            saved = Saved(aside, upload.epoch, upload.sha256, self.proposal.token)
            return checkpoints.adopt(aside, folder, saved).path

    def _fetch(self, upload: Upload, target: Path) -> None:
        """Fetch ``upload`` into ``target``. Raises StorageUnavailable when patience ends."""
        assert self.store is not None  # noqa: S101  (without one there is no such candidate)
        store, number = self.store, self.proposal.number
        retry.call(
            lambda: store.fetch(upload.location, target),
            BACKOFF,
            again=lambda error: isinstance(error, StorageUnavailable),
            waited=self.wait,
            failed=lambda outage, _: log.warning("trial %s waits for its checkpoint: %s", number, outage),
        )
