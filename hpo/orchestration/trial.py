"""One attempt, as the worker sees it: it reads messages, stores them, answers, and returns one ``Ended``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hpo.errors import ClaimLost
from hpo.orchestration.stop import Stopping
from hpo.trial.messages import Answer, Checkpointed, Ended, EpochReport, Memory, Progress, Started
from hpo.trial.ports import TrialProcess
from hpo.trial.vocabulary import Reason, Scalar

POLL_S = 0.2
CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")


class Recorder(Protocol):
    """Writes what an attempt says.

    Every write is fenced by the attempt's token. The attempt's thread makes all calls, in the order of the messages,
    and that order is kept. A database that does not answer is no error: what was said waits, and the training goes on.
    Each method may raise ClaimLost; then the training is to be ended.
    """

    @property
    def lost(self) -> bool:
        """Whether the trial is known to be someone else's now."""

    def started(self, effective: dict[str, Scalar], resumed_from: int) -> None:
        """The model is built and the data is loaded.

        Args:
            effective: The settings as Ultralytics resolved them.
            resumed_from: Epochs that were taken over from a checkpoint; 0 for a fresh start.

        Raises:
            ClaimLost: The trial is someone else's now.
        """

    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        """The attempt shows a sign of life, which is shown and not stored.

        Args:
            stage: The stage's name, as ``hpo.trial.messages.Progress`` lists them.
            epoch: The epoch that is being trained, from 1; 0 before the first.
            fraction: The part of the epoch or the stage that is done, in [0, 1].

        Raises:
            ClaimLost: The trial is someone else's now.
        """

    def took_memory(self, mib: float) -> None:
        """The attempt has taken more memory than it had said before.

        Args:
            mib: Memory of its device (on a CPU, of the host) in MiB.

        Raises:
            ClaimLost: The trial is someone else's now.
        """

    def report(self, report: EpochReport) -> Answer:
        """Store an epoch, and ask the pruner.

        Args:
            report: What the attempt said about the epoch.

        Returns:
            ``PRUNE`` where the pruner wants the trial stopped, else ``GO_ON``, also ``GO_ON`` while the database does
            not answer.

        Raises:
            ClaimLost: The trial is someone else's now.
        """

    def checkpointed(self, epoch: int) -> None:
        """A checkpoint is in place, from which the attempt can be resumed.

        Args:
            epoch: Epochs that it holds.

        Raises:
            ClaimLost: The trial is someone else's now.
        """


def _host_oom_kills() -> int:
    """Return how many processes of this control group the kernel has killed for memory; 0 where that can't be read."""
    try:
        lines = CGROUP_EVENTS.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@dataclass
class Supervisor:
    """Follows one process to its end."""

    process: TrialProcess
    """The attempt, which was just started; it is killed in the end, if it still runs."""
    recorder: Recorder
    stop: Stopping
    hung_s: float
    """Seconds without a message after which the process counts as hung."""
    left: Callable[[], Ended | None]
    """Reads the end that the process has written to its folder, which it says a moment later; None without one."""
    _epochs: int = 0
    _checkpoint: int = 0
    _oom_kills: int = field(default_factory=_host_oom_kills)

    def follow(self) -> Ended:
        """Block until the attempt has ended, by itself or by this worker. The process and its children are gone then.

        Returns:
            How the attempt ended.

        Raises:
            ClaimLost: The trial turned out to be someone else's.
        """
        try:
            return self._follow()
        finally:
            self.process.kill()

    def _follow(self) -> Ended:
        heard = time.monotonic()
        while True:
            if self.recorder.lost:
                raise ClaimLost(
                    "the trial was taken over while this worker gave no sign of life; its training is ended"
                )
            if self.stop.now:
                return self._given_back()
            if time.monotonic() - heard > self.hung_s:
                return self.left() or self._end(Reason.HUNG, f"no progress for {self.hung_s:g} s")
            try:
                message = self.process.receive(POLL_S)
            except EOFError:
                return self.left() or self._died()
            if isinstance(message, Ended):
                return message
            if message is not None:
                self._note(message)
                heard = time.monotonic()

    def _note(self, message: Started | Progress | Memory | EpochReport | Checkpointed) -> None:
        match message:
            case Started(effective, resumed_from):
                self._checkpoint = resumed_from
                self.recorder.started(effective, resumed_from)
            case Progress(stage, epoch, fraction):
                self.recorder.progress(stage, epoch, fraction)
            case Memory(mib):
                self.recorder.took_memory(mib)
            case EpochReport():
                self.process.answer(self._answer(message))
            case Checkpointed(epoch):
                self._checkpoint = epoch
                self.recorder.checkpointed(epoch)

    def _answer(self, report: EpochReport) -> Answer:
        self._epochs = report.epoch
        answer = self.recorder.report(report)
        return Answer.GIVE_BACK if answer is Answer.GO_ON and self.stop.soon else answer

    def _given_back(self) -> Ended:
        self.process.kill()
        return self.left() or self._end(Reason.GIVEN_BACK, "stopped at once", epochs=self._checkpoint)

    def _died(self) -> Ended:
        """Return the end of a process that died without a last message, by its exit code and the kernel's counter."""
        code = self.process.exit_code()
        if code == -9 and _host_oom_kills() > self._oom_kills:
            return self._end(Reason.HOST_OOM, "the kernel's out-of-memory killer ended the process")
        if code in (-9, -15, None):
            return self._end(Reason.KILLED, f"the process was killed ({_signal_text(code)})")
        return self._end(Reason.CRASH, f"the process ended without a result ({_signal_text(code)})")

    def _end(self, reason: Reason, detail: str, epochs: int | None = None) -> Ended:
        return Ended(reason, detail, self._epochs if epochs is None else epochs, None, {}, None, time.time())


def _signal_text(code: int | None) -> str:
    if code is None:
        return "exit code unknown: the forkserver died"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
