"""All that a report says, as plain values: read once, then written in any form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hpo.dataset.boxes import BoxFacts
from hpo.study.plots.importance import Importance
from hpo.study.records import StatusRow, StudyRow, TrialRow
from hpo.studyfile.arguments import arguments
from hpo.studyfile.schema import StudySpec
from hpo.trial.vocabulary import Reason, TrialState

MAX_ROWS = 100
"""Trials in the table, the best ones first."""


@dataclass(frozen=True)
class Setting:
    """An argument that the winner has another value of than the baseline."""

    name: str
    default: Any
    winner: Any
    searched: bool


@dataclass(frozen=True)
class Cost:
    """GPU hours (slot hours on CPUs) by what became of them."""

    total: float
    complete: float
    pruned: float
    failed: float
    """In attempts that ended without a result of their own: failed, killed, given back."""
    gain_per_hour: float | None
    """Gain of the objective over the baseline, in points (hundredths) per hour of the whole search."""


@dataclass(frozen=True)
class Report:
    study: StudyRow
    status: StatusRow
    trials: tuple[TrialRow, ...]
    """All, by number."""
    winner: TrialRow | None
    baseline: TrialRow | None
    """Where it is complete."""
    settings: tuple[Setting, ...]
    importances: tuple[Importance, ...]
    cost: Cost
    boxes: BoxFacts | None
    """None where the data is not on this machine, or another one by now."""
    verdict: tuple[str, ...] = ()
    """The confirmation's sentences; empty where there was none."""
    written_at: datetime | None = None
    pictures: tuple[str, ...] = field(default=())
    """A few labelled training images as data URIs."""

    @property
    def spec(self) -> StudySpec:
        return self.study.spec

    @property
    def best_first(self) -> list[TrialRow]:
        """Complete trials by value, then the others by number; at most ``MAX_ROWS``."""
        order = sorted(self.trials, key=lambda row: (row.value is None, -(row.value or 0.0), row.number))
        return order[:MAX_ROWS]

    @property
    def reasons(self) -> dict[str, int]:
        """How many trials ended in which way."""
        return dict(Counter(str(row.reason) for row in self.trials if row.reason is not None))

    @property
    def metrics(self) -> tuple[str, ...]:
        """What stands beside the objective in a table."""
        shown = ("map50", "map50_95", "precision", "recall", "f1")
        return tuple(
            name
            for name in shown
            if name != str(self.spec.objective) and any(name in row.metrics for row in self.trials)
        )


def settings(spec: StudySpec, winner: TrialRow, baseline: TrialRow | None) -> tuple[Setting, ...]:
    """Where the winner's training differs from the baseline's (from Ultralytics' defaults where none was trained), and
    every searched argument whether it differs or not.
    """
    default = {**arguments.defaults(), **spec.train_args, **(baseline.train if baseline is not None else {})}
    searched = set(spec.searched.names)
    names = [
        name
        for name in sorted({*winner.train, *searched})
        if name in searched or (name in default and winner.train.get(name) != default[name])
    ]
    ordered = sorted(names, key=lambda name: (name not in searched, name))
    return tuple(Setting(name, default.get(name), winner.train.get(name), name in searched) for name in ordered)


def cost(rows: Sequence[TrialRow], winner: TrialRow | None, baseline: TrialRow | None) -> Cost:
    hours = dict.fromkeys(("complete", "pruned", "failed"), 0.0)
    for row in rows:
        for attempt in row.attempts:
            if attempt.ended_at is not None:
                spent = max(0.0, (attempt.ended_at - attempt.started_at).total_seconds()) / 3600
                hours[_kind(row, attempt.reason)] += spent
    total = sum(hours.values())
    gain = None
    if winner is not None and baseline is not None and total > 0:
        gain = 100 * ((winner.value or 0.0) - (baseline.value or 0.0)) / total
    return Cost(total, hours["complete"], hours["pruned"], hours["failed"], gain)


def _kind(row: TrialRow, reason: Reason | None) -> str:
    """Hours of an attempt that was given back are the trial's own where it went on from a checkpoint."""
    if row.state is TrialState.COMPLETE and (reason is Reason.COMPLETE or _was_continued(row)):
        return "complete"
    if row.state is TrialState.PRUNED:
        return "pruned"
    return "failed"


def _was_continued(row: TrialRow) -> bool:
    return bool(row.attempts) and row.attempts[-1].resumed_from > 0


def data_is_here(study: StudyRow) -> Path | None:
    """The study's data.yaml, where it lies on this machine."""
    source = Path(study.spec.data)
    return source if source.exists() else None
