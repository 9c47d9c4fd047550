"""One worker's hold on a study: proposals in, epochs and outcomes out."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import insert, update

from hpo.errors import ClaimLost
from hpo.spec import rungs
from hpo.study import admission, ending, recording, tables
from hpo.study.context import Context, Failpoint
from hpo.study.history import SearchHistory
from hpo.study.progress import finished, progress
from hpo.study.pruning import build_pruner
from hpo.study.recording import Active
from hpo.study.records import Proposal, StudyRow
from hpo.study.repair import repair, undo_admission
from hpo.study.storage import Storage
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Reaction, Scalar

if TYPE_CHECKING:
    from hpo.spec.plan import BaselinePlan


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _nothing(_point: str) -> None:
    """No failpoint."""


class WorkerSession:
    """A context manager. The caller holds the study's lock: no other session of the study lives while this one does.

    Order of calls: ``repair`` once; then for each trial ``admit``, ``begin``, ``started``, ``report`` each epoch,
    ``checkpointed`` where one was written, and ``end`` or ``give_back``; ``seen`` every few seconds.
    Every call may raise ``StorageUnavailable``; it may be made again. Calls with a token raise ``ClaimLost`` when the
    attempt is no longer this session's; nothing was written then.
    """

    def __init__(
        self,
        storage: Storage,
        study: StudyRow,
        worker: str,
        baseline: BaselinePlan | None,
        *,
        clock: Callable[[], datetime] = _utc_now,
        failpoint: Failpoint = _nothing,
    ) -> None:
        self._context = Context(storage, study, worker, clock, failpoint, SearchHistory(storage.optuna))
        self._baseline = baseline
        self._pruner = build_pruner(study.spec)
        self._active: dict[str, Active] = {}
        self._admitting: str | None = None
        """Token of an admission that has not come to its end."""
        self._worker_id = self._register()

    def repair(self) -> tuple[int, ...]:
        """Settles what dead workers left; returns the numbers of the trials that it ended or gave back."""
        return repair(self._context)

    def admit(self) -> Proposal | None:
        """A trial to train now, or None: then ``finished`` says whether the search is over."""
        self.seen()
        if self._admitting is not None:
            undo_admission(self._context, self._admitting)
        self._admitting = str(uuid.uuid4())
        proposal = admission.admit(self._context, self._baseline, self._admitting)
        self._admitting = None
        if proposal is not None:
            trial_id = self._context.trial_id(proposal.number)
            self._active[proposal.token] = Active(proposal, trial_id)
        return proposal

    def finished(self) -> str | None:
        """``budget spent``, ``hours spent`` or ``grid exhausted``; None while anything is open or may be proposed."""
        study = self._context.study
        now = self._context.storage.read(lambda connection: progress(connection, study.id))
        return finished(study.spec, now)

    def begin(self, token: str, *, train: dict[str, Any], operating_point: OperatingPoint | None, folder: str) -> None:
        """Opens the attempt. ``train`` is complete: what the trial's process is asked to train."""
        active = self._of(token)
        self._active[token] = replace(active, pruning=rungs.plan(self._context.study.spec, train))
        point = None if operating_point is None else operating_point.to_dict()
        recording.write_attempt(self._context, active.proposal, folder, {"train": train, "operating_point": point})

    def started(self, token: str, effective: dict[str, Scalar]) -> None:
        """Stores what is really trained, as Ultralytics resolved it."""
        self._of(token)
        recording.write_effective(self._context, token, effective)

    def report(self, token: str, report: EpochReport) -> bool:
        """Stores an epoch and says whether to stop the trial."""
        active = self._of(token)
        recording.write_epoch(self._context, active.proposal, report)
        recording.tell_epoch(self._context, active.trial_id, report)
        return active.asks(report.epoch) and recording.should_prune(
            self._context, self._pruner, active.trial_id, report.epoch
        )

    def checkpointed(self, token: str, epoch: int, path: str) -> None:
        """The attempt can be resumed after ``epoch`` from the file at ``path``."""
        self._of(token)
        recording.write_checkpoint(self._context, token, epoch, path)

    def end(self, token: str, ended: Ended) -> Reaction:
        """Records the outcome, tells Optuna, queues the retry if there is one."""
        self._of(token)
        reaction = ending.end(self._context, token, ended)
        del self._active[token]
        return reaction

    def give_back(self, token: str, epochs: int, checkpoint: str | None) -> None:
        """The same trial waits to be admitted again, and goes on after ``epochs`` if there is a ``checkpoint``."""
        self._of(token)
        ending.give_back(self._context, token, epochs, checkpoint)
        del self._active[token]

    def seen(self) -> None:
        """Proof of life: the study's live hours run to the last one."""
        self._update_worker(seen_at=self._context.clock())

    def close(self) -> None:
        """Leaves the study. Trials still running are left to the next session's ``repair``."""
        now = self._context.clock()
        self._update_worker(seen_at=now, ended_at=now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _of(self, token: str) -> Active:
        try:
            return self._active[token]
        except KeyError:
            raise ClaimLost(f"attempt {token} is not this worker's, or ended; its result is dropped") from None

    def _register(self) -> int:
        context, now = self._context, self._context.clock()
        row = {"worker": context.worker, "host": socket.gethostname(), "pid": os.getpid()}
        statement = insert(tables.workers).values(study_id=context.study.id, started_at=now, seen_at=now, **row)
        returning = statement.returning(tables.workers.c.id)
        return int(context.storage.write(lambda connection: connection.execute(returning).scalar_one()))

    def _update_worker(self, **values: datetime) -> None:
        mine = tables.workers.c.id == self._worker_id
        statement = update(tables.workers).where(mine).values(**values)
        self._context.storage.write(lambda connection: connection.execute(statement))
