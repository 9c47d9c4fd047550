"""A worker: admit, train, tell, until the budget is spent or a stop is asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import HpoError
from hpo.orchestration.cleanup import best_first, clean
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.trial import Supervisor
from hpo.spec import plan
from hpo.spec.plan import BaselinePlan
from hpo.spec.sweep import sweep_plan
from hpo.study.records import Proposal, StudyRow, TrialRow
from hpo.study.worker_session import WorkerSession
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import Launcher, Mirror, Watcher
from hpo.trial.request import PredictionFolder, TrialRequest
from hpo.trial.vocabulary import Reason, Scalar, reaction

log = logging.getLogger(__name__)
SEEN_EVERY_S = 10.0
FRUITLESS = 3
"""So many attempts in a row that end before their first epoch through no choice of the sampler's stop the worker."""


@dataclass(frozen=True)
class Site:
    """Where a study is trained on this machine."""

    folder: Path
    """The study's own; attempts lie in ``trials/``."""
    model: str
    """Absolute path of the model .yaml or .pt."""
    data: Path
    """data.yaml with an absolute ``path``."""
    baseline: BaselinePlan | None
    device: str = "auto"
    predictions: Path | None = None
    """Where the raw predictions of trained models are kept."""


@dataclass(frozen=True)
class Company:
    """Who a worker works with."""

    session: WorkerSession
    launcher: Launcher
    mirror: Mirror
    watcher: Watcher
    trials: Callable[[], list[TrialRow]]


class Worker:
    """One trial at a time, from the study's database to the study's database."""

    def __init__(self, study: StudyRow, site: Site, company: Company, stop: StopRequest) -> None:
        self._study = study
        self._site = site
        self._with = company
        self._stop = stop
        self._fruitless = 0

    def run(self) -> None:
        """Returns when there is nothing left to admit, or at the next epoch's end after a stop was asked for.

        Raises HpoError when trial after trial ends before its first epoch: the machine, the data or the model is at
        fault, and going on would spend the budget on it.
        """
        for number in self._with.session.repair():
            self._with.mirror.touch(number)
        while not self._stop.soon:
            proposal = self._with.session.admit()
            if proposal is None:
                return
            self._train(proposal)

    def _train(self, proposal: Proposal) -> None:
        request = self._request(proposal)
        session = self._with.session
        session.begin(
            proposal.token, train=request.train, operating_point=request.operating_point, folder=request.folder
        )
        self._with.watcher.trial_started(request, resumed_from=proposal.resume_epoch)
        self._with.mirror.touch(proposal.number)
        paths = AttemptPaths(Path(request.folder))
        recorder = _AttemptRecorder(proposal, self._with, paths)
        process = self._with.launcher.start(request)
        ended = Supervisor(process, recorder, self._stop, self._study.spec.recovery.hung_s).follow()
        self._settle(proposal, ended, paths)

    def _settle(self, proposal: Proposal, ended: Ended, paths: AttemptPaths) -> None:
        if ended.reason is Reason.GIVEN_BACK:
            checkpoint = str(paths.checkpoint) if paths.checkpoint.exists() else None
            self._with.session.give_back(proposal.token, ended.epochs, checkpoint)
            settled = reaction(Reason.GIVEN_BACK, retries_left=proposal.retries_left)
        else:
            settled = self._with.session.end(proposal.token, ended)
        for number in clean(self._site.folder, self._with.trials(), self._study.spec.keep.weights):
            self._with.mirror.touch(number)
        self._with.mirror.touch(proposal.number)
        self._with.watcher.trial_ended(proposal.number, ended, settled)
        self._give_up_if_fruitless(ended, paths)

    def _give_up_if_fruitless(self, ended: Ended, paths: AttemptPaths) -> None:
        failed = ended.reason in (Reason.CRASH, Reason.DATA, Reason.DISK, Reason.HOST_OOM) and ended.epochs == 0
        self._fruitless = self._fruitless + 1 if failed else 0
        if self._fruitless >= FRUITLESS:
            raise HpoError(
                f"{FRUITLESS} attempts in a row ended before their first epoch, the last with {ended.reason}: "
                f"{ended.detail}\nIts log: {paths.log}\nMend the cause and run the same command again."
            )

    def _request(self, proposal: Proposal) -> TrialRequest:
        spec = self._study.spec
        if proposal.baseline:
            assert self._site.baseline is not None  # noqa: S101  (the session proposes one only where it was given one)
            train, point = self._site.baseline.train, self._site.baseline.operating_point
        else:
            train, point = plan.search_args(spec, proposal.params), plan.operating_point(spec, proposal.params)
        best = best_first(self._with.trials()) if spec.plots == "best" else []
        return TrialRequest(
            study=spec.name,
            number=proposal.number,
            ordinal=proposal.ordinal,
            attempt=proposal.attempt,
            folder=str(AttemptPaths.of(self._site.folder, proposal.number, proposal.attempt).folder),
            model=self._site.model,
            data=str(self._site.data),
            train=train,
            objective=spec.objective,
            operating_point=point,
            sweep=sweep_plan(spec) if spec.is_swept else None,
            predictions=self._prediction_folder(),
            plots=spec.plots,
            best_value=best[0].value if best else None,
            checkpoint=proposal.checkpoint,
            known_epochs=proposal.resume_epoch,
            device=self._site.device,
        )

    def _prediction_folder(self) -> PredictionFolder | None:
        folder, spec = self._site.predictions, self._study.spec
        if folder is None or not spec.is_swept:
            return None
        return PredictionFolder(str(folder), spec.keep.caches, self._study.identity.data_fingerprint)


class _AttemptRecorder:
    """Database first, then whoever looks on."""

    def __init__(self, proposal: Proposal, company: Company, paths: AttemptPaths) -> None:
        self._proposal = proposal
        self._with = company
        self._paths = paths
        self._seen_at = time.monotonic()

    def started(self, effective: dict[str, Scalar]) -> None:
        self._with.session.started(self._proposal.token, effective)

    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        self._with.watcher.progress(self._proposal.number, stage, epoch, fraction)
        if time.monotonic() - self._seen_at > SEEN_EVERY_S:
            self._seen_at = time.monotonic()
            self._with.session.seen()

    def report(self, report: EpochReport) -> bool:
        prune = self._with.session.report(self._proposal.token, report)
        self._with.mirror.touch(self._proposal.number)
        self._with.watcher.epoch_ended(self._proposal.number, report)
        return prune

    def checkpointed(self, epoch: int) -> None:
        self._with.session.checkpointed(self._proposal.token, epoch, str(self._paths.checkpoint))
