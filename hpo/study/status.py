"""Where a study stands: plain frozen values for people and for workers, without Optuna and SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hpo.study.records import TrialRow
from hpo.trial.vocabulary import Reason, TrialState


class Finish(StrEnum):
    """Why a search has ended. The set is closed; people read the values."""

    BUDGET = "budget spent"
    HOURS = "hours spent"
    GRID = "grid exhausted"


class StudyState(StrEnum):
    EMPTY = "empty"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    WAITING = "waiting"
    """There is work left, and no worker is alive."""
    FINISHED = "finished"
    """The budget, the hours or the grid is spent, and no trial is open."""


@dataclass(frozen=True)
class BudgetRow:
    trials: int
    hours: float | None
    counted: int
    """Number of trials that ended and count."""
    issued: int
    """Number of proposals handed out; each ends in exactly one counting trial."""
    hours_used: float
    """Hours with at least one live worker."""


@dataclass(frozen=True)
class RunningRow:
    """A trial in a worker's slot."""

    number: int
    slot: int
    device: str
    since: datetime


@dataclass(frozen=True)
class WorkerRow:
    """One life of a worker."""

    worker: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    number: int | None
    """Number of the trial that it trains; with several, the one that runs longest."""
    slots: tuple[str, ...] = ()
    """Device of each slot."""
    running: tuple[RunningRow, ...] = ()
    failure: str = ""
    """Why it takes no more trials; empty while it does."""


@dataclass(frozen=True)
class StatusRow:
    name: str
    state: StudyState
    finished: Finish | None
    """Why the search has ended; None while a trial is open or may be proposed."""
    budget: BudgetRow
    counts: dict[TrialState, int]
    """Number of trials in every state. FAIL includes the dead ones that were tried again."""
    best: TrialRow | None
    workers: tuple[WorkerRow, ...]
    """Workers that live."""
    control: str = "run"
    """What a person wants of the study: ``run``, ``pause``, ``stop`` or ``cancel``."""
    control_reason: str = ""
    """Why the study paused itself; empty where it did not."""
    device_hours: float = 0.0
    """Hours in attempts, summed over all slots."""
    wasted_hours: dict[Reason, float] = field(default_factory=dict)
    """Part of ``device_hours`` in attempts that left no result, by reason."""
    left_s: float | None = None
    """Expected seconds to the end of the budget with the live slots; None where nothing tells."""
