"""The final training: a trial like any other, in its own process, which resumes after a stop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from typing_extensions import override

from hpo.dataset.description import write_resolved
from hpo.errors import HpoError, StudyBusy
from hpo.orchestration.stop import Stopping
from hpo.orchestration.trial import Recorder, Supervisor
from hpo.orchestration.workspace import Workspace
from hpo.promotion.choice import PromotionChoice, training_arguments
from hpo.study.records import StudyRow
from hpo.studyfile.planning.sweep import sweep_plan
from hpo.trial import checkpoints, results
from hpo.trial.messages import Answer, Ended, EpochReport
from hpo.trial.objective import Objective
from hpo.trial.operating_point import OperatingPoint, SweepResult
from hpo.trial.paths import AttemptPaths
from hpo.trial.ports import Launcher
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason, Scalar

Show = Callable[[str, int, float], None]
"""Callback that gets the stage, the epoch (from 1) and the finished share of it, in [0, 1]."""


@dataclass(frozen=True)
class Trained:
    """Result of the final training."""

    weights: Path
    train: dict[str, Any]
    """Complete Ultralytics arguments."""
    with_val: bool
    epochs: int
    best_epoch: int | None
    """Epoch of the weights, from 1."""
    point: OperatingPoint
    sweep: SweepResult | None
    """Sweep of these weights on val; None if the operating point was fixed before."""


class Stopped(HpoError):
    """The training was stopped; it goes on when the command is run again."""


class _Shown(Recorder):
    """Recorder that stores nothing and shows each epoch."""

    def __init__(self, show: Show) -> None:
        self._show = show

    @property
    @override
    def lost(self) -> bool:
        return False

    @override
    def started(self, effective: dict[str, Scalar], resumed_from: int) -> None:
        self._show("resumed" if resumed_from else "train", resumed_from + 1, 0.0)

    @override
    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        self._show(stage, epoch, fraction)

    @override
    def took_memory(self, mib: float) -> None:
        """Show nothing."""

    @override
    def report(self, report: EpochReport) -> Answer:
        self._show("epoch", report.epoch, report.objective)
        return Answer.GO_ON

    @override
    def checkpointed(self, epoch: int) -> None:
        """Show nothing."""


class FinalTraining:
    """One training for one choice of settings.

    Its folder is named after the settings. So a finished training is not repeated, and an interrupted one goes on.
    """

    def __init__(self, study: StudyRow, choice: PromotionChoice, workspace: Workspace, *, with_val: bool) -> None:
        self._study = study
        self._choice = choice
        self._workspace = workspace
        self._with_val = with_val
        self.train = training_arguments(study.spec, choice.row)
        self.epochs = int(self.train["epochs"])
        self.token = self._digest()
        self.paths = AttemptPaths(workspace.folder / "promote" / self.token[:16])
        self._weights = self.paths.last if with_val else self.paths.best

    def run(self, launcher: Launcher, stop: Stopping, show: Show) -> Trained:
        """Train to the end, or find the result of an earlier call.

        Raises ``Stopped`` after a requested stop, ``StudyBusy`` if another process trains the same, and ``HpoError`` if
        the training fails.
        """
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.paths.folder / ".lock", timeout=0):
                return self._result(self._finished() or self._trained(launcher, stop, show))
        except Timeout:
            raise StudyBusy(f"another process trains the same final model: {self.paths.folder}") from None

    def _trained(self, launcher: Launcher, stop: Stopping, show: Show) -> Ended:
        self.paths.claim(self.token)
        self.paths.ended.unlink(missing_ok=True)  # from an earlier try
        process = launcher.start(self._request())
        left = partial(results.untold, self.paths, self.token)
        ended = Supervisor(process, _Shown(show), stop, self._study.spec.recovery.hung_s, left).follow()
        match ended.reason:
            case Reason.COMPLETE:
                checkpoints.remove(self.paths.checkpoints)
                return ended
            case Reason.GIVEN_BACK:
                raise Stopped(f"stopped after epoch {ended.epochs} of {self.epochs}")
            case _:
                raise HpoError(
                    f"the final training ended early ({ended.reason}): {ended.detail or 'see its log'}\n"
                    f"its log: {self.paths.log}; run the same command again: it goes on from the last checkpoint"
                )

    def _request(self) -> TrialRequest:
        """Return the request. If val is part of the training data, neither the epoch nor the operating point is chosen
        on val.
        """
        spec, swept = self._study.spec, self._study.spec.is_swept and not self._with_val
        row = self._choice.row
        point = row.recommended_point if self._with_val else row.operating_point if row.sweep is None else None
        saved = checkpoints.newest(self.paths.checkpoints, self.token)
        data = self.paths.folder / "data.yaml"
        write_resolved(self._workspace.data, data, val_too=self._with_val)
        return TrialRequest(
            study=spec.name,
            number=row.number,
            ordinal=row.ordinal,
            attempt=1,
            folder=str(self.paths.folder),
            model=self._workspace.model,
            data=str(data),
            train=self._workspace.found(self.train),
            objective=Objective() if self._with_val else spec.objective,
            operating_point=point,
            sweep=sweep_plan(spec, self._study.facts.most_labels) if swept else None,
            predictions=self._workspace.prediction_folder(self._study) if swept else None,
            cache=None if self._workspace.cache is None else str(self._workspace.cache),
            checkpoint=None if saved is None else str(saved.path),
            known_epochs=0 if saved is None else saved.epoch,
            device=self._workspace.devices[0],
            token=self.token,
            trusted=tuple(self._study.facts.trusted.values()),
        )

    def _finished(self) -> Ended | None:
        """Return the outcome of an earlier call if its weights exist."""
        ended = results.untold(self.paths, self.token)
        return ended if ended and ended.reason is Reason.COMPLETE and self._weights.is_file() else None

    def _result(self, ended: Ended) -> Trained:
        swept = None if self._with_val else ended.swept
        return Trained(
            weights=self._weights,
            train=self.train,
            with_val=self._with_val,
            epochs=ended.epochs,
            best_epoch=ended.epochs if self._with_val else ended.best_epoch,
            point=self._choice.row.recommended_point if swept is None else swept.recommended_point,
            sweep=swept,
        )

    def _digest(self) -> str:
        spec = self._study.spec
        sweep = (
            sweep_plan(spec, self._study.facts.most_labels).to_dict() if spec.is_swept and not self._with_val else None
        )
        identity = (self._study.uuid, self._study.identity.data_fingerprint, self._study.identity.model_sha256)
        point = self._choice.row.recommended_point.to_dict()
        what = [*identity, self.train, str(spec.objective), sweep, self._with_val, point]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
