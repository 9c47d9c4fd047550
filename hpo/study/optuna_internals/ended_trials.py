"""The ended trials of a study as columns of numbers. They grow with each proposal instead of being built again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from hpo.study.optuna_internals.seen_trials import SeenTrials

SearchSpace = dict[str, BaseDistribution]
Values = NDArray[np.float64]
"""Array with one row for each trial and one column for each parameter; NaN where a trial lacks the parameters."""
_COMPLETE, _PRUNED, _INFEASIBLE = range(3)
"""The order in which good trials are picked."""


@dataclass
class EndedTrials:
    """A study's ended trials as columns, in the order in which they were seen."""

    trials: list[FrozenTrial] = field(default_factory=list)
    seen: SeenTrials = field(default_factory=SeenTrials)
    numbers: NDArray[np.int_] = field(default_factory=lambda: np.empty(0, dtype=int))
    ranks: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))
    """Sort keys of the trials, lowest first: kind, then two numbers. Equal keys keep the order of the trials."""
    values: dict[tuple[tuple[str, BaseDistribution], ...], Values] = field(default_factory=dict)
    """Parameter values of the trials, by search space."""

    def add(self, trials: Sequence[FrozenTrial], sign: float) -> None:
        """Add the trials that ended since the last call.

        ``trials``: all that ended, by number; ``sign``: -1 where the largest value is the best.
        """
        new = self.seen.unseen(trials)
        if new:
            self.trials += new
            self.numbers = np.append(self.numbers, [trial.number for trial in new])
            self.ranks = np.concatenate([self.ranks, [_rank(trial, sign) for trial in new]])

    def order(self) -> NDArray[np.int_]:
        """Return the places of the trials, by number."""
        return np.argsort(self.numbers, kind="stable")

    def values_of(self, space: SearchSpace) -> Values:
        key = tuple(space.items())
        known = self.values.get(key, np.empty((0, len(space))))
        if len(known) < len(self.trials):
            new = [internal_values(trial.params, space) for trial in self.trials[len(known) :]]
            self.values[key] = known = np.concatenate([known, np.array(new, dtype=float).reshape(-1, len(space))])
        return known


def _rank(trial: FrozenTrial, sign: float) -> tuple[int, float, float]:
    violation = sum(value for value in trial.constraints.values() if value > 0)
    if violation > 0:
        return _INFEASIBLE, violation, 0.0
    if trial.state == TrialState.COMPLETE:
        return _COMPLETE, sign * float(trial.value or 0.0), 0.0
    if not trial.intermediate_values:
        return _PRUNED, 1.0, 0.0
    step, value = max(trial.intermediate_values.items())
    return _PRUNED, -float(step), math.inf if math.isnan(value) else sign * value


def internal_values(params: dict[str, Any], space: SearchSpace) -> tuple[float, ...]:
    """Return Optuna's numbers for ``params``, in the order of ``space``; all NaN where one is missing."""
    if not space.keys() <= params.keys():
        return (math.nan,) * len(space)
    return tuple(known.to_internal_repr(params[name]) for name, known in space.items())
