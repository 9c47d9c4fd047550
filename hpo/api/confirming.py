"""Confirm a study: train its best trials and the baseline again, with fresh seeds, and reach a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import UsageError

if TYPE_CHECKING:
    from hpo.api.searching import Obey
    from hpo.api.view import View
    from hpo.evidence.document import VerdictDocument
    from hpo.orchestration.stop import StopRequest
    from hpo.settings import Settings
    from hpo.studyfile.schema import Confirm


@dataclass(frozen=True)
class ConfirmPlan:
    """Which study is confirmed, how, and on what."""

    study: str
    """The study's name or its file."""
    top: int | None = None
    """So many of the best trials, from 1; None: the study file's, or 3."""
    seeds: int | None = None
    """Trainings of each, from 2; None: the study file's, or 3."""
    data: Path | None = None
    """The study's data.yaml on this machine, where it lies elsewhere."""
    gpus: str = "all"
    """``all`` (the CPU where there is none), ``cpu``, or indices as ``0,1``."""
    allow_versions: bool = False
    """Whether to train with other versions of packages than the study was made with."""


def confirm(plan: ConfirmPlan, settings: Settings, stop: StopRequest, view: View, obey: Obey) -> VerdictDocument | None:
    """Work on a confirmation to its end and return its verdict.

    Args:
        plan: What is confirmed.
        settings: Where it is stored.
        stop: Ends the work early.
        view: Is told what happens.
        obey: What ``stop`` follows while trials run.

    Returns:
        The verdict; None after a stop.

    Raises:
        UsageError: The search is not finished, or nothing can be confirmed.
        StudyConflict: Another confirmation of the study is stored, or the data is another one.
    """
    from hpo.api import stages
    from hpo.api.finding import name_of
    from hpo.wiring.machine import SlotRequest
    from hpo.wiring.opening import joined

    name = name_of(plan.study)
    known = _stored(name, plan, settings)
    if known is not None:
        return known
    with joined(name, plan.data, settings, SlotRequest(plan.gpus, 1), allow_versions=plan.allow_versions) as search:
        status = search.status()
        if status.finished is None:
            done = f"{status.budget.counted} of {status.budget.trials} trials"
            raise UsageError(
                f"study {name!r} is not finished ({done}): finish it with `hpo run`, or end it there: "
                f"hpo update {name} budget.trials={max(1, status.budget.issued)}"
            )
        stage = search.confirmation(_asked_for(search.study.spec.confirm, plan))
        with obey(stop, lambda _signum: None):
            stages.confirm(stage, stop, view)
        return None if stop.soon else stages.verdict(stage, view)


def _stored(name: str, plan: ConfirmPlan, settings: Settings) -> VerdictDocument | None:
    """Return the verdict that is stored: to read it needs neither the data nor this machine's packages."""
    from hpo.confirmation import stage
    from hpo.study.database.storage import open_storage
    from hpo.study.studies import lifecycle

    with open_storage(settings.storage_url, create=False, home=settings.home) as storage:
        search = lifecycle.load(storage, name)
        return stage.known_verdict(storage, search, _asked_for(search.spec.confirm, plan))


def _asked_for(named: Confirm | None, plan: ConfirmPlan) -> Confirm | None:
    """What the plan asks for, completed from the study file; None where it asks for nothing."""
    from hpo.studyfile.schema import Confirm

    if plan.top is None and plan.seeds is None:
        return None
    usual = named or Confirm()
    return Confirm(usual.top if plan.top is None else plan.top, usual.seeds if plan.seeds is None else plan.seeds)
