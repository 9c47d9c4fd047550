"""Facts of a report as plain values: read once, then rendered in any form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hpo.dataset.boxes import BoxFacts
from hpo.study.plots.importance import Importance
from hpo.study.records import StudyRow, TrialRow
from hpo.study.status import StatusRow
from hpo.studyfile.arguments import arguments
from hpo.studyfile.schema import StudySpec
from hpo.trial.vocabulary import Reason, TrialState

MAX_ROWS = 100
"""Number of trials in the table, the best ones first."""


@dataclass(frozen=True)
class Setting:
    """An argument whose value differs between the winner and the baseline."""

    name: str
    default: Any
    winner: Any
    searched: bool


@dataclass(frozen=True)
class Cost:
    """GPU hours (slot hours on CPUs), grouped by the outcome of their trials."""

    total: float
    complete: float
    pruned: float
    failed: float
    """Hours of attempts that ended without a result: failed, killed, given back."""
    gain_per_hour: float | None
    """Gain of the objective over the baseline, in points (hundredths) per hour of the whole search."""


@dataclass(frozen=True)
class Report:
    study: StudyRow
    status: StatusRow
    trials: tuple[TrialRow, ...]
    """All trials, by number."""
    winner: TrialRow
    baseline: TrialRow | None
    """The baseline; None if it is not complete."""
    settings: tuple[Setting, ...]
    importances: tuple[Importance, ...]
    cost: Cost
    boxes: BoxFacts | None
    """Boxes of the data; None if the data is not on this machine or has changed."""
    verdict: tuple[str, ...] = ()
    """Sentences of the confirmation; empty without one."""
    written_at: datetime | None = None
    pictures: tuple[str, ...] = field(default=())
    """A few labelled training images as data URIs."""

    @property
    def spec(self) -> StudySpec:
        return self.study.spec

    @property
    def best_first(self) -> list[TrialRow]:
        """Return complete trials by value, then the others by number; at most ``MAX_ROWS``."""
        order = sorted(self.trials, key=lambda row: (row.value is None, -(row.value or 0.0), row.number))
        return order[:MAX_ROWS]

    @property
    def reasons(self) -> dict[str, int]:
        """Return the number of trials for each way of ending."""
        return dict(Counter(str(row.reason) for row in self.trials if row.reason is not None))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the metrics that a table shows besides the objective."""
        measured = {name for row in self.trials for name in row.metrics} - {str(self.spec.objective)}
        return tuple(name for name in ("map50", "map50_95", "precision", "recall", "f1") if name in measured)


def settings(spec: StudySpec, winner: TrialRow, baseline: TrialRow | None) -> tuple[Setting, ...]:
    """Return the winner's arguments that differ from the baseline's, and every searched argument.

    Without a trained baseline the comparison is with Ultralytics' defaults.
    """
    default = {**arguments.defaults(), **(spec.train_args if baseline is None else baseline.train)}
    searched = set(spec.searched.names)
    others = {name for name in set(winner.train) & set(default) if winner.train[name] != default[name]} - searched
    ordered = [*sorted(searched), *sorted(others)]
    return tuple(Setting(name, default.get(name), winner.train.get(name), name in searched) for name in ordered)


def cost(rows: Sequence[TrialRow], winner: TrialRow, baseline: TrialRow | None) -> Cost:
    hours = dict.fromkeys(("complete", "pruned", "failed"), 0.0)
    for row in rows:
        for attempt in row.attempts:
            if attempt.ended_at is not None:
                spent = max(0.0, (attempt.ended_at - attempt.started_at).total_seconds()) / 3600
                hours[_kind(row, attempt.reason)] += spent
    total = sum(hours.values())
    gain = None
    if baseline is not None and total > 0:
        gain = 100 * ((winner.value or 0.0) - (baseline.value or 0.0)) / total
    return Cost(total, **hours, gain_per_hour=gain)


def _kind(row: TrialRow, reason: Reason | None) -> str:
    """Return the kind of an attempt's hours. If the trial resumed from its checkpoint, a given-back attempt counts as
    the trial's own.
    """
    was_continued = bool(row.attempts) and row.attempts[-1].resumed_from > 0
    if row.state is TrialState.COMPLETE and (reason is Reason.COMPLETE or was_continued):
        return "complete"
    return "pruned" if row.state is TrialState.PRUNED else "failed"
