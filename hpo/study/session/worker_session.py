"""One worker's session on a study: it gets proposals, and reports epochs and outcomes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, literal

from hpo.errors import ClaimLost, StorageUnavailable
from hpo.study.claims import claims
from hpo.study.claims.leases import Watch
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.optuna_internals.history import SearchHistory
from hpo.study.records import Proposal, StudyRow
from hpo.study.search import warm
from hpo.study.search.pruning import build_pruner, keeps_notes
from hpo.study.session import admission, ending, reaping, recording, registry
from hpo.study.session.context import Failpoint, SessionContext, no_failpoint
from hpo.study.session.recording import Active, Place
from hpo.study.session.registry import Life
from hpo.study.session.uploads import UploadRows
from hpo.study.status import Finish
from hpo.study.studies import controls, progress
from hpo.study.studies.progress import Control, StudyProgress
from hpo.studyfile.planning import rungs
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Reaction, Scalar

if TYPE_CHECKING:
    from hpo.studyfile.planning.plan import BaselinePlan


class WorkerSession:
    """A context manager. Any number of sessions share a study, from any machines.

    Order of calls: for each trial ``admit``, ``begin``, ``started``, ``report`` at each epoch, ``checkpointed`` where a
    checkpoint was written, and ``end`` or ``give_back`` (``decline`` before ``begin``). Meanwhile ``beat`` is called
    every quarter of a lease, from a thread of its own. Only one thread calls ``admit``. Several may make the other
    calls, each for a trial of its own.

    Every call may raise ``StorageUnavailable`` and may be repeated. Calls with a token raise ``ClaimLost``, and write
    nothing, when the attempt is no longer this session's.
    """

    def __init__(
        self,
        storage: Storage,
        study: StudyRow,
        worker: str | Life,
        baseline: BaselinePlan | None,
        *,
        clock: Callable[[], datetime] | None = None,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """Start a session; ``clock`` replaces every clock, the database's too (by default each is its own)."""
        self._baseline = baseline
        self._pruner = build_pruner(study.spec)
        self._steady = time.monotonic if clock is None else lambda: clock().timestamp()
        self._watch = Watch(study.spec.recovery.lease_s, self._steady)
        self._active: dict[str, Active] = {}
        self._held: set[str] = set()
        """Tokens with leases that this session keeps alive."""
        self._lost: set[str] = set()
        self._guard = threading.Lock()
        """Guards ``_held`` and ``_lost``."""
        self._admitting: str | None = None
        """Token of an admission that has not ended."""
        self._orphans_due = float("-inf")
        self._settled: list[int] = []
        self.control = Control.RUN
        """Control of the study at the last query."""
        now = tables.Now if clock is None else lambda: literal(clock(), tables.Utc())
        life = Life(worker) if isinstance(worker, str) else worker
        history = SearchHistory(storage, warm.trials(storage, study), notes=keeps_notes(study.spec.search.pruner))
        # the first sign of life comes last: the imports above take long on a starved machine, and nothing beats yet
        life_id = registry.enter(storage, study, life, now())
        self._context = SessionContext(
            storage, study, life.worker, life_id, clock or partial(datetime.now, UTC), now, failpoint, history
        )
        self.uploads = UploadRows(self._context)

    @property
    def beat_every_s(self) -> float:
        return self._context.study.spec.recovery.lease_s / 4

    def beat(self) -> None:
        """Renew the leases held, and read all leases and the study's control."""
        with self._guard:
            held, training = set(self._held), set(self._active)
        asked_at = self._steady()
        try:
            kept, beats, now = self._context.storage.beat(lambda connection: self._pulse(connection, held))
        except StorageUnavailable:
            self._watch.lost_sight()
            raise
        self._watch.saw(beats, asked_at)
        self.control = now
        with self._guard:
            self._lost |= (training - kept) & self._held

    def lost(self, token: str) -> bool:
        """Return whether another worker owns the trial now: its process must be ended, and its result dropped."""
        return token in self._lost

    def reap(self) -> tuple[int, ...]:
        """Settle the trials of dead workers; return the numbers of the trials that it ended or gave back."""
        expired = self._watch.expired()
        touched = reaping.reap(self._context, expired, frozenset(self._held), self._hold)
        if touched or self._steady() >= self._orphans_due:
            reaping.fail_orphans(self._context)
            self._orphans_due = self._steady() + self._context.study.spec.recovery.lease_s
        if touched:
            self._context.history.outdated()
        self._settled += touched
        return touched

    def settled(self) -> list[int]:
        """Return the trials that this session settled for dead workers since the last call, by number."""
        numbers, self._settled = self._settled, []
        return numbers

    def admit(self) -> Proposal | None:
        """Return a trial to train now, or None: then ``finished`` says whether the search is over.

        It first settles dead workers' trials. Then it tells what had ended, queues retries, counts, claims and asks.
        """
        if self._admitting is not None:
            with self._hold(self._admitting), suppress(ClaimLost):
                reaping.undo_admission(self._context, self._admitting)
            self._admitting = None
        self.reap()
        self._context.history.outdated()
        self._admitting = token = self._context.storage.new_token()
        with self._guard:
            self._held.add(token)
        try:
            proposal = admission.admit(self._context, self._baseline, token)
        except ClaimLost:
            proposal = None  # it took longer than a lease; what it left is settled by now, or soon
        except BaseException:
            self._let_go(token)
            raise
        self._admitting = None
        if proposal is None:
            self._let_go(token)
        else:
            self._active[token] = Active(proposal, self._context.trial_id(proposal.number))
        return proposal

    def progress(self) -> StudyProgress:
        study = self._context.study
        now = self._context.storage.read(lambda connection: progress.progress(connection, study.id))
        self.control = now.control
        return now

    def finished(self) -> Finish | None:
        """Return why the search has ended; None while a trial is open or may be proposed."""
        return progress.finished(self._context.study.spec, self.progress())

    def begin(
        self, token: str, train: dict[str, Any], operating_point: OperatingPoint | None, place: Place, resumed_from: int
    ) -> None:
        """Open the attempt. ``train`` is complete: the arguments for the trial's process.

        ``resumed_from``: epochs of the checkpoint that it resumes from.
        """
        active = self._of(token)
        proposal = replace(active.proposal, resume_epoch=resumed_from)
        self._active[token] = active = replace(
            active, proposal=proposal, pruning=rungs.plan(self._context.study.spec, train)
        )
        recording.write_attempt(self._context, active, place, {"train": train, "operating_point": operating_point})

    def started(self, token: str, effective: dict[str, Scalar], resumed_from: int) -> None:
        """Store what is really trained, as Ultralytics resolved it, and the epoch it resumed from."""
        recording.write_effective(self._context, self._of(token), effective, resumed_from)

    def took_memory(self, token: str, mib: float) -> None:
        """Store the peak memory of the attempt's process so far, in MiB."""
        self._of(token)
        recording.update_attempt(self._context, token, peak_mib=round(mib))

    def offers(self, slots: tuple[str, ...]) -> None:
        """Store the device of each slot, where there are more than this life began with."""
        registry.offers(self._context, slots)

    def report(self, token: str, report: EpochReport) -> bool:
        """Store an epoch; return whether to stop the trial."""
        active, epoch = self._of(token), report.epoch
        self.control = recording.write_epoch(self._context, active, report)
        return active.asks(epoch) and recording.should_prune(self._context, self._pruner, active.trial_id, epoch)

    def checkpointed(self, token: str, epoch: int, path: str) -> None:
        """Note that the attempt can be resumed after ``epoch`` from the file at ``path``."""
        self._of(token)
        recording.update_attempt(self._context, token, checkpoint_epoch=epoch, checkpoint_path=path)
        self._context.failpoint("checkpointed")

    def end(self, token: str, ended: Ended) -> Reaction:
        """Record the outcome, tell Optuna, and queue the retry if there is one."""
        self._of(token)
        try:
            reaction = ending.end(self._context, token, ended)
        except BaseException:
            self._orphans_due = float("-inf")  # it may have left a retry that no claim owns
            raise
        self.drop(token)
        return reaction

    def give_back(self, token: str, epochs: int, checkpoint: str | None) -> None:
        """Make the same trial wait for another admission; it resumes after ``epochs`` if there is a ``checkpoint``."""
        self._of(token)
        ending.give_back(self._context, token, epochs, checkpoint)
        self.drop(token)

    def decline(self, token: str) -> None:
        """Make a trial wait again that had been given back or put back, and has not begun since it was admitted."""
        reaping.undo_admission(self._context, token)
        self.drop(token)

    def drop(self, token: str) -> None:
        """Forget an attempt that ended or was lost; its lease is not renewed any more."""
        active = self._active.pop(token, None)
        if active is not None:
            self._context.history.forget(active.trial_id)
        self._let_go(token)

    def give_up(self, because: str) -> bool:
        """Note that this worker stops because all trials fail on it; return True where that paused the whole study."""
        return registry.give_up(self._context, because)

    def close(self) -> None:
        """Leave the study. Other workers settle the trials that still run, once their leases have run out."""
        context = self._context
        reaping.fail_orphans(context)
        registry.leave(context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _pulse(self, connection: Connection, held: set[str]) -> tuple[set[str], dict[str, int], Control]:
        context = self._context
        kept = claims.beat(connection, held, context.now())
        beats, control = claims.beats(connection, context.study.id), controls.control(connection, context.study.id)
        registry.seen(connection, context)
        return kept, beats, control

    @contextmanager
    def _hold(self, token: str) -> Iterator[None]:
        with self._guard:
            self._held.add(token)
        try:
            yield
        finally:
            self._let_go(token)

    def _let_go(self, token: str) -> None:
        with self._guard:
            self._held.discard(token)
            self._lost.discard(token)

    def _of(self, token: str) -> Active:
        try:
            return self._active[token]
        except KeyError:
            raise ClaimLost(f"attempt {token} is not this worker's, or ended; its result is dropped") from None
