"""Optuna's TPE on columns instead of trials: the same proposals, without a walk through all trials for each.

``TPESampler`` (Optuna 5.0.0) walks through every trial of the study for each proposal, to sort it into good and bad and
to turn its values into numbers. What has ended never changes, so that both are kept here, and each proposal adds what
ended since the last one. Tests compare the proposals with Optuna's, digit by digit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

SearchSpace = dict[str, BaseDistribution]
Values = NDArray[np.float64]
"""One row a trial, one column a parameter; NaN where a trial lacks one of the parameters."""
_COMPLETE, _PRUNED, _INFEASIBLE = range(3)
"""The order in which good trials are picked."""


@dataclass
class Ended:
    """A study's ended trials as columns, in the order in which they were met."""

    trials: list[FrozenTrial] = field(default_factory=list)
    rows: dict[int, int] = field(default_factory=dict)
    """By Optuna's trial id: numbers are those of several studies where one was warm started."""
    ranks: list[tuple[int, float, float]] = field(default_factory=list)
    """What trials are sorted by, lowest first: kind, then two numbers; later ones where these are equal."""
    values: dict[tuple[tuple[str, BaseDistribution], ...], list[tuple[float, ...]]] = field(default_factory=dict)
    """By search space."""

    def add(self, trials: Sequence[FrozenTrial], sign: float) -> None:
        """``sign``: -1 where the largest value is the best."""
        for trial in trials:
            if trial._trial_id not in self.rows:  # noqa: SLF001  (it has no public name)
                self.rows[trial._trial_id] = len(self.trials)  # noqa: SLF001
                self.trials.append(trial)
                self.ranks.append(_rank(trial, sign))

    def values_of(self, space: SearchSpace) -> Values:
        known = self.values.setdefault(tuple(space.items()), [])
        known += [_internal(trial.params, space) for trial in self.trials[len(known) :]]
        return np.array(known, dtype=float).reshape(len(known), len(space))


class QuickTPE(TPESampler):
    """``ended`` is kept from one sampler to the next, all of one study. Options are those of ``TPESampler``."""

    def __init__(self, *, ended: Ended, **options: Any) -> None:
        super().__init__(**options)
        self._ended = ended

    @override
    def _sample(self, study: optuna.Study, trial: FrozenTrial, search_space: SearchSpace) -> dict[str, Any]:
        states = [TrialState.COMPLETE, TrialState.PRUNED, *([TrialState.RUNNING] if self._constant_liar else [])]
        # the trials are read anew where running ones count, as Optuna does
        trials = study._get_trials(deepcopy=False, states=states, use_cache=not self._constant_liar)  # noqa: SLF001
        running = [other for other in trials if other.state == TrialState.RUNNING and other.number != trial.number]
        ended = [other for other in trials if other.state != TrialState.RUNNING]
        self._ended.add(ended, -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0)
        numbers = np.array([other.number for other in ended])
        rows = np.array([self._ended.rows[other._trial_id] for other in ended], dtype=int)  # noqa: SLF001
        is_good = _is_good(np.array(self._ended.ranks)[rows], (self._gamma or default_gamma)(len(ended)))
        values = self._ended.values_of(search_space)[rows]
        lies = np.array([_internal(self._get_params(other, study), search_space) for other in running])
        bad = _by_number(
            [numbers[~is_good], np.array([other.number for other in running])],
            [values[~is_good], lies.reshape(len(running), len(search_space))],
        )
        below, above = (self._estimator(found, search_space) for found in (values[is_good], bad))
        samples = below.sample(self._rng.rng, self._n_ei_candidates)
        chosen = self._compare(samples, self._compute_acquisition_func(samples, below, above))
        return {name: known.to_external_repr(chosen[name]) for name, known in search_space.items()}

    def _estimator(self, values: Values, space: SearchSpace) -> Any:
        values = values[~np.isnan(values).any(axis=1)]
        observations = {
            name: column.astype(int) if isinstance(known, CategoricalDistribution) else column
            for (name, known), column in zip(space.items(), values.T, strict=True)
        }
        return self._parzen_estimator_cls(observations, space, self._parzen_estimator_parameters)


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


def _is_good(ranks: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Of each trial, in the order of their numbers: whether it is among the ``count`` best."""
    good = np.zeros(len(ranks), dtype=bool)
    good[np.lexsort((ranks[:, 2], ranks[:, 1], ranks[:, 0]))[:count]] = True
    return good


def _by_number(numbers: list[NDArray[np.int_]], values: list[Values]) -> Values:
    return np.concatenate(values)[np.argsort(np.concatenate(numbers), kind="stable")]


def _internal(params: dict[str, Any], space: SearchSpace) -> tuple[float, ...]:
    if not space.keys() <= params.keys():
        return (math.nan,) * len(space)
    return tuple(known.to_internal_repr(params[name]) for name, known in space.items())
