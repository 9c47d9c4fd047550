"""A training of a given duration, with the messages, the files and the resumption of a real one."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from hpo import files
from hpo.trial import checkpoints
from hpo.trial.messages import Answer, Checkpointed, Ended, EpochReport, Message, Started, encode
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import Launcher, TrialProcess
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason, Scalar
from tests.study.support import value_of


def plain(request: TrialRequest) -> dict[str, Scalar]:
    return {name: value for name, value in request.train.items() if not isinstance(value, list)}


@dataclass(frozen=True)
class Pace:
    epochs: int
    epoch_s: float
    crash_rate: float = 0.0
    """Share of the attempts that die half-way, in [0, 1]."""


def _epoch_in(checkpoint: str | None) -> int:
    """Return the epoch of the checkpoint; 0 if there is none or a real training left it (both then start at
    epoch 1).
    """
    try:
        return 0 if checkpoint is None else int(Path(checkpoint).read_text())
    except (OSError, ValueError):
        return 0


class FakeLauncher(Launcher):
    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    @override
    def start(self, request: TrialRequest) -> TrialProcess:
        return FakeProcess(request, self._pace, crashes=random.random() < self._pace.crash_rate)


class FakeProcess(TrialProcess):
    """Process that trains while its messages are read."""

    def __init__(self, request: TrialRequest, pace: Pace, *, crashes: bool) -> None:
        self._request = request
        self._paths = AttemptPaths(Path(request.folder))
        self._paths.checkpoints.mkdir(parents=True, exist_ok=True)
        self._epochs = pace.epochs
        self._epoch_s = pace.epoch_s
        self._crashes = crashes
        self._answer = Answer.GO_ON
        self._gone = False
        self._epoch = _epoch_in(request.checkpoint)
        self._queue: list[Message] = [Started({"batch": 8}, self._epoch)]
        # as a real one: first the epochs that the checkpoint has and the database lacks
        self._queue += [self._report(epoch) for epoch in range(request.known_epochs + 1, self._epoch + 1)]

    @property
    @override
    def pid(self) -> int:
        return 0

    @override
    def receive(self, timeout_s: float) -> Message | None:
        if self._queue:
            return self._queue.pop(0)
        if self._gone:
            raise EOFError
        time.sleep(self._epoch_s)
        if self._answer is not Answer.GO_ON:
            self._end(Reason.PRUNED if self._answer is Answer.PRUNE else Reason.GIVEN_BACK)
        elif self._epoch == self._epochs:
            self._end(Reason.COMPLETE)
        elif self._crashes and self._epoch == self._epochs // 2:
            self._gone = True
        else:
            self._train_an_epoch()
        return self._queue.pop(0) if self._queue else None

    def _train_an_epoch(self) -> None:
        self._epoch += 1
        self._queue.append(self._report(self._epoch))
        epoch = str(self._epoch).encode()
        checkpoints.write(self._paths.checkpoints, self._epoch, self._request.token, lambda file: file.write(epoch))
        self._queue.append(Checkpointed(self._epoch))

    def _report(self, epoch: int) -> EpochReport:
        value = round(value_of(plain(self._request)) * epoch / self._epochs, 6)
        return EpochReport(epoch, value, {"train/box_loss": 1.0}, self._epoch_s, time.time())

    def _end(self, reason: Reason) -> None:
        value = value_of(plain(self._request)) if reason is Reason.COMPLETE else None
        metrics = {} if value is None else {"map50": value}
        ended = Ended(reason, "", self._epoch, value, metrics, self._epoch or None, time.time())
        if reason is not Reason.GIVEN_BACK:
            files.write_bytes(self._paths.ended, encode(ended))
        self._queue.append(ended)
        self._gone = True

    @override
    def answer(self, answer: Answer) -> None:
        self._answer = answer

    @override
    def kill(self) -> None:
        self._gone = True

    @override
    def exit_code(self) -> int | None:
        return 1
