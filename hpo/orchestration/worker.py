"""A worker: it admits, trains and tells several trials at a time, until the study is finished or a stop is asked."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from hpo.errors import ClaimLost, HpoError, StorageUnavailable
from hpo.orchestration.cleanup import Cleaner
from hpo.orchestration.heartbeat import heartbeat
from hpo.orchestration.idling import Idling
from hpo.orchestration.patience import Patience
from hpo.orchestration.recorder import AttemptRecorder
from hpo.orchestration.resumption import Resumption
from hpo.orchestration.slots import Slots
from hpo.orchestration.stop import Orders, StopRequest
from hpo.orchestration.trial import Supervisor
from hpo.orchestration.uploads import Uploads
from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import Storage
from hpo.study.records import Proposal, StudyRow
from hpo.study.session.peaks import Load
from hpo.study.session.recording import Place
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import leaderboard
from hpo.study.studies.progress import Control, finished
from hpo.trial import checkpoints, results
from hpo.trial.messages import Ended
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import CheckpointStore, Launcher, Mirror, Watcher
from hpo.trial.vocabulary import Reason, TrialState, reaction

log = logging.getLogger(__name__)
BUSY_S = 0.1
FETCH_PATIENCE_S = 60.0
"""Seconds to wait for a checkpoint from a tracking server that does not answer; then the trial starts from epoch 1."""
UPLOADS_CLOSE_S = 10.0
FRUITLESS = 3
"""Number of attempts in a row that stop the worker if they end before their first epoch.

Only ends that the sampler's choice did not cause are counted.
"""


@dataclass(frozen=True)
class Services:
    """The services that a worker works with."""

    session: WorkerSession
    launcher: Launcher
    mirror: Mirror
    watcher: Watcher
    storage: Storage
    store: CheckpointStore | None = None
    """Takes checkpoints to where other machines can fetch them; None keeps them on this machine."""


class Worker:
    """Fills its slots with trials of the study, and stores their results in the study's database."""

    def __init__(
        self,
        study: StudyRow,
        workspace: Workspace,
        services: Services,
        stop: StopRequest,
        leave_idle_s: float | None = None,
    ) -> None:
        """Store the arguments. ``leave_idle_s``: seconds without a trial after which it leaves; None: it stays."""
        self._study = study
        self._workspace = workspace
        self._with = services
        self._stop = stop
        recovery = study.spec.recovery
        self._patience = Patience(recovery.patience_s, recovery.grace_s, stop)
        self._orders = Orders(stop, lambda: services.session.control is Control.CANCEL, recovery.grace_s)
        self._slots = Slots(workspace.devices, workspace.memory)
        self._idling = Idling(leave_idle_s)
        self._uploads: Uploads | None = None
        self._cleaner = Cleaner(workspace.folder, partial(leaderboard.placement, services.storage, study))
        self._settling = threading.Lock()
        """Guards ``_fruitless`` and ``_failure``: several slots' threads may end trials at the same time."""
        self._fruitless = 0
        self._failure: HpoError | None = None
        self._paused = False
        self._finished = False

    def run(self) -> None:
        """Run until the study is finished or stopped, or until running trials are given back after a signal.

        Raises HpoError when several trials in a row end before their first epoch: the machine, the data or the model is
        at fault, and more trials would waste the budget. Raises StorageUnavailable when the database stays away.
        """
        session, store = self._with.session, self._with.store
        if store is not None and not self._study.plan:  # nothing is resumed in a confirmation stage
            self._uploads = Uploads(session, store, self._study.spec.recovery.checkpoint_every_s)
        with heartbeat(session.beat, session.beat_every_s):
            try:
                while self._goes_on():
                    self._fill_a_slot()
            except StorageUnavailable:
                self._stop.give_up()
                raise
            finally:
                for thread in self._slots.threads():
                    thread.join()
                self._leave_held()
                if self._uploads is not None:
                    self._uploads.close(UPLOADS_CLOSE_S)
        if self._failure is not None:
            raise self._failure

    def _goes_on(self) -> bool:
        if self._finished or self._stop.soon or self._failure or self._with.session.control.sends_away:
            return False
        if self._idling.leaves:
            log.warning("there has been nothing to do for a while: this worker leaves, as --leave-idle says")
            return False
        return True

    def _fill_a_slot(self) -> None:
        """Start one trial, or wait a moment."""
        self._slots.tidy()
        held = self._slots.ready()
        if held is not None:
            self._begin(*held)
            return
        free = self._slots.free()
        proposal = None if free is None else self._patience.call(self._with.session.admit)
        for number in self._with.session.settled():
            self._with.mirror.touch(number)
        if free is None or proposal is None:
            self._finished = free is not None and not self._is_open()
            if not self._finished:
                self._wait(BUSY_S if free is None else self._idling.nothing(trains=bool(self._slots.threads())))
        elif self._slots.hold(proposal, free):
            log.warning("trial %s ran out of memory beside others: it waits to be trained alone", proposal.number)
        else:
            self._begin(proposal, free)

    def _begin(self, proposal: Proposal, slot: int) -> None:
        self._idling.found()
        before = len(self._slots.devices)
        load = Load.of(self._workspace.asked(self._study, proposal)[0])
        self._slots.enter(slot, lambda: self._occupy(proposal, slot), proposal.exclusive, load)
        if len(self._slots.devices) > before:
            self._patience.call(lambda: self._with.session.offers(tuple(self._slots.devices)))

    def _leave_held(self) -> None:
        held = self._slots.given_up()
        if held is not None:
            with suppress(StorageUnavailable, ClaimLost):  # other workers find out that this owner has left
                self._with.session.decline(held.token)

    def _is_open(self) -> bool:
        now = self._patience.call(self._with.session.progress)
        if now.control is Control.PAUSE and not self._paused:
            because = f" ({now.control_reason})" if now.control_reason else ""
            log.warning("the study is paused%s; workers wait for: hpo resume %s", because, self._study.name)
        self._paused = now.control is Control.PAUSE
        return finished(self._study.spec, now) is None

    def _wait(self, seconds: float) -> None:
        """Wait, but not beyond a signal, the study's control, or the end of a trial: then there may be a new one."""
        until = time.monotonic() + seconds
        running = self._slots.threads()
        while time.monotonic() < until and not self._stop.soon and not self._with.session.control.sends_away:
            if not all(thread.is_alive() for thread in running):
                self._idling.found()
                return
            time.sleep(min(BUSY_S, seconds))

    def _occupy(self, proposal: Proposal, slot: int) -> None:
        """Run in the thread of one trial: an error in one trial ends no other."""
        try:
            self._train(proposal, slot)
        except ClaimLost as lost:
            log.warning("trial %s: %s", proposal.number, lost)
            self._with.session.drop(proposal.token)
            self._upload_no_more(proposal)
            self._with.watcher.trial_lost(proposal.number)
        except HpoError as error:
            self._fail(error)
        except Exception as error:
            log.exception("trial %s", proposal.number)
            self._fail(HpoError(f"trial {proposal.number}: {type(error).__name__}: {error}"))

    def _fail(self, error: HpoError) -> None:
        with self._settling:
            self._failure = self._failure or error

    def _train(self, proposal: Proposal, slot: int) -> None:
        session, mirror, watcher = self._with.session, self._with.mirror, self._with.watcher
        paths = AttemptPaths.of(self._workspace.folder, proposal.number, proposal.attempt)
        shutil.rmtree(paths.folder, ignore_errors=True)  # left by a deleted study of the same name
        paths.claim(proposal.token)
        fetching = Patience(FETCH_PATIENCE_S, 0.0, self._stop)  # shorter than for the database: trials can restart
        start = Resumption(proposal, paths, self._with.store, fetching.waiting()).start()
        devices, best = self._slots.devices, None
        if self._study.spec.plots == "best":
            best = self._patience.call(partial(leaderboard.best_value, self._with.storage, self._study))
        device, sharing = devices[slot], len(devices)
        request = self._workspace.request(self._study, proposal, start, device, sharing=sharing, best_value=best)
        place = Place(request.folder, request.device, slot)
        train, point = request.train, request.operating_point
        self._patience.call(lambda: session.begin(proposal.token, train, point, place, start.epoch))
        if self._uploads is not None:
            self._uploads.follow(replace(proposal, resume_epoch=start.epoch), paths)
        watcher.trial_started(request, resumed_from=start.epoch)
        mirror.touch(proposal.number)
        recorder = AttemptRecorder(proposal, session, mirror, watcher, paths, self._uploads)
        with self._settling:
            process = self._with.launcher.start(request)
        left = partial(results.untold, paths, proposal.token)
        ended = Supervisor(process, recorder, self._orders, self._study.spec.recovery.hung_s, left).follow()
        recorder.settle(self._patience)
        self._settle(proposal, ended, paths)

    def _settle(self, proposal: Proposal, ended: Ended, paths: AttemptPaths) -> None:
        session = self._with.session
        if ended.reason is Reason.GIVEN_BACK:
            self._give_back(proposal, ended, paths)
            settled = reaction(Reason.GIVEN_BACK, retries_left=proposal.retries_left)
        else:
            settled = self._patience.call(lambda: session.end(proposal.token, ended))
        self._upload_no_more(proposal)
        with self._settling:
            for number in self._patience.call(self._cleaner.clean):
                self._with.mirror.touch(number)
            self._with.mirror.touch(proposal.number)
            self._with.watcher.trial_ended(proposal.number, ended, settled)
            if settled.pauses:
                self._give_up_paused(proposal, ended, paths)
            elif settled.state is not TrialState.WAITING:
                self._give_up_if_fruitless(ended, paths)

    def _give_back(self, proposal: Proposal, ended: Ended, paths: AttemptPaths) -> None:
        """Upload the checkpoint, then give the trial back: after that, this worker may write nothing more for it."""
        if self._uploads is not None:
            self._uploads.hand_over(proposal.token, self._study.spec.recovery.grace_s, lambda: self._stop.now)
        newest = checkpoints.newest(paths.checkpoints, proposal.token)
        epochs, path = (ended.epochs, None) if newest is None else (newest.epoch, str(newest.path))
        self._patience.call(lambda: self._with.session.give_back(proposal.token, epochs, path))

    def _upload_no_more(self, proposal: Proposal) -> None:
        if self._uploads is not None:
            self._uploads.forget(proposal.token)

    def _give_up_paused(self, proposal: Proposal, ended: Ended, paths: AttemptPaths) -> None:
        because = f"trial {proposal.number}: its attempts end before their first epoch, each time in the same way"
        self._failure = self._failure or HpoError(
            f"{because}: {ended.detail}\nIts log: {paths.log}\nThe study is paused, and no trial was lost. "
            f"Mend the cause and again: hpo resume {self._study.name}"
        )

    def _give_up_if_fruitless(self, ended: Ended, paths: AttemptPaths) -> None:
        failed = ended.reason in (Reason.CRASH, Reason.DATA, Reason.DISK, Reason.HOST_OOM) and ended.epochs == 0
        self._fruitless = self._fruitless + 1 if failed else 0
        if self._fruitless < FRUITLESS or self._failure is not None:
            return
        because = f"{FRUITLESS} attempts in a row ended before their first epoch, the last with {ended.reason}"
        paused = self._patience.call(lambda: self._with.session.give_up(f"{because}: {ended.detail}"))
        then = f"and again: hpo resume {self._study.name}" if paused else "and run the same command again"
        self._failure = HpoError(
            f"{because}: {ended.detail}\nIts log: {paths.log}\n"
            f"{'The study is paused: it is so on other workers too. ' if paused else ''}Mend the cause {then}."
        )
