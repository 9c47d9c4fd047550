"""The worker's interfaces to the world around a trial; each has more than one real implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hpo.trial.messages import Answer, Ended, EpochReport, Message
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reaction


class TrialProcess(Protocol):
    """A running attempt. The worker owns it: it ends with the worker, whatever ends the worker."""

    @property
    def pid(self) -> int: ...

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None after ``timeout_s``; raises EOFError once the process is gone and all is read."""
        ...

    def answer(self, answer: Answer) -> None:
        """Reply to the ``EpochReport`` just received; a process that is gone is no error here."""
        ...

    def kill(self) -> None:
        """End the process and all that it started, at once; harmless if it is gone."""
        ...

    def exit_code(self) -> int | None:
        """As subprocess' ``returncode``; None where it can't be known (the forkserver died)."""
        ...


class Launcher(Protocol):
    """Starts attempts."""

    def start(self, request: TrialRequest) -> TrialProcess: ...


class Watcher(Protocol):
    """Told what happens while a worker runs: the live view, plain lines, or nothing. Must not raise."""

    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None: ...

    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None: ...

    def epoch_ended(self, number: int, report: EpochReport) -> None: ...

    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None: ...

    def trial_lost(self, number: int) -> None:
        """It turned out to be another worker's; nothing more is heard of it here."""
        ...


class Mirror(Protocol):
    """Keeps the tracking server in step with the database; never blocks and never raises into the caller."""

    def touch(self, number: int) -> None: ...


class CheckpointStore(Protocol):
    """Keeps files where every node can fetch them. For several threads.

    Each call raises StorageUnavailable while the store does not answer, and HpoError for what it refuses or lacks.
    """

    def put(self, file: Path, folder: str) -> str:
        """Stores ``file`` under its own name in ``folder`` (with ``/``), over what was there; returns its location."""
        ...

    def fetch(self, location: str, target: Path) -> None:
        """Writes what lies at ``location`` to ``target``; whether it is what was put there is for the caller to see."""
        ...

    def delete(self, location: str) -> None:
        """A file, or a folder with all in it; nothing if it is not there."""
        ...
