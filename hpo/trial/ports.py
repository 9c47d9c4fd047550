"""The worker's interfaces to the world around a trial; each has more than one real implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hpo.trial.messages import Answer, Ended, EpochReport, Message
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reaction


class TrialProcess(Protocol):
    """A running attempt, owned by the worker that started it.

    An implementation makes sure that the process and all that it started end with the worker, whatever ends the worker.
    One thread of the worker, the one of the attempt's slot, makes all calls.
    """

    @property
    def pid(self) -> int:
        """The process id, the same while the process lives and after it."""
        ...

    def receive(self, timeout_s: float) -> Message | None:
        """Wait for the next message of the process.

        Args:
            timeout_s: How long to wait, in seconds.

        Returns:
            The oldest message that was not received yet, or None where none came in time.

        Raises:
            EOFError: The process is gone and all that it had said was received.
        """
        ...

    def answer(self, answer: Answer) -> None:
        """Reply to the ``EpochReport`` just received; a process that is gone is no error here.

        Args:
            answer: What the process does next. It waits for exactly one answer a report.
        """
        ...

    def kill(self) -> None:
        """End the process and all that it started, at once; harmless if it is gone."""
        ...

    def exit_code(self) -> int | None:
        """Tell how the process ended.

        Returns:
            The number as subprocess' ``returncode`` has it: negative for a signal. None where it can't be known (the
            forkserver died).
        """
        ...


class Launcher(Protocol):
    """Starts attempts, each in a process of its own.

    The worker never calls it from two threads at once. What it returns belongs to the caller, who ends it.
    """

    def start(self, request: TrialRequest) -> TrialProcess:
        """Start an attempt, and return without waiting for its first message.

        Args:
            request: All that the attempt needs; it is not changed.

        Returns:
            The running attempt. One that dies while it starts is told by its ``receive``.
        """
        ...


class Watcher(Protocol):
    """Told what happens while a worker runs: the live view, plain lines, or nothing.

    An implementation must not raise and must not block, since the training waits for it. The threads of several slots
    call it, also at the same time; the end of a trial is told by one thread at a time. It changes nothing of what it is
    given.
    """

    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        """An attempt at a trial begins.

        Args:
            request: What the attempt was asked for.
            resumed_from: Epochs that are taken over from a checkpoint; 0 for a fresh start.
        """
        ...

    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        """The attempt shows a sign of life.

        Args:
            number: The trial's number, from 0.
            stage: The stage's name, as ``hpo.trial.messages.Progress`` lists them.
            epoch: The epoch that is being trained, from 1; 0 before the first.
            fraction: The part of the epoch or the stage that is done, in [0, 1].
        """
        ...

    def epoch_ended(self, number: int, report: EpochReport) -> None:
        """An epoch has ended; whether it is in the database yet is not said.

        Args:
            number: The trial's number, from 0.
            report: What the attempt said about the epoch.
        """
        ...

    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        """An attempt has ended and its outcome is in the database.

        Args:
            number: The trial's number, from 0.
            ended: How the attempt ended.
            reaction: What follows for the trial: its state, and whether it is tried again.
        """
        ...

    def trial_lost(self, number: int) -> None:
        """The trial turned out to be another worker's; nothing more is heard of it here.

        Args:
            number: The trial's number, from 0.
        """
        ...


class Mirror(Protocol):
    """Keeps the tracking server in step with the database.

    A call never blocks and never raises into the caller. Any thread may call it. It reads the database itself, later: a
    call says only that something has changed.
    """

    def touch(self, number: int) -> None:
        """A trial's rows have changed; calls that follow each other closely may be answered by one write.

        Args:
            number: The trial's number, from 0.
        """
        ...


class CheckpointStore(Protocol):
    """Keeps files where every node can fetch them.

    Several threads and processes use it at the same time. What was put is there in full once ``put`` has returned; the
    caller writes down the location only then. Each call raises StorageUnavailable while the store does not answer, and
    HpoError for what it refuses or lacks.
    """

    def put(self, file: Path, folder: str) -> str:
        """Store a file under its own name, over what was there.

        Args:
            file: A file of this machine; it is only read.
            folder: A path inside the store, with ``/``.

        Returns:
            The location of the stored file, for ``fetch`` and ``delete``: relative to the store, with ``/`` as its
            separator.

        Raises:
            hpo.errors.StorageUnavailable: The store does not answer; the call may be tried again.
            hpo.errors.HpoError: The store refuses the file.
        """
        ...

    def fetch(self, location: str, target: Path) -> None:
        """Write what lies at a location to a file; whether it is what was put there is for the caller to see.

        Args:
            location: What ``put`` has returned, here or on another machine.
            target: Path of the file to write.

        Raises:
            hpo.errors.StorageUnavailable: The store does not answer; the call may be tried again.
            hpo.errors.OutsideStore: The location leads out of the store.
            hpo.errors.HpoError: Nothing lies at the location.
        """
        ...

    def delete(self, location: str) -> None:
        """Remove a file, or a folder with all in it; nothing happens if it is not there.

        Args:
            location: What ``put`` has returned, or a folder of such locations.

        Raises:
            hpo.errors.OutsideStore: The location leads out of the store.
            hpo.errors.StorageUnavailable: The store does not answer; the call may be tried again.
            hpo.errors.HpoError: The store refuses.
        """
        ...
