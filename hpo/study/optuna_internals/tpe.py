"""Optuna's TPE on columns of trials: the same proposals, without reading all trials for each.

``TPESampler`` (Optuna 5.0.0) goes through every trial of the study for each proposal: it sorts them into good and bad
and turns their values into numbers. Ended trials never change, so both results are kept here, and each proposal adds
only the trials that ended since the last one. Tests compare the proposals with Optuna's, digit by digit.
"""

from __future__ import annotations

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

from hpo.study.optuna_internals.ended_trials import EndedTrials, SearchSpace, Values, internal_values
from hpo.study.optuna_internals.parzen import QuickParzenEstimator

NEEDS = {
    TPESampler: (
        "_compare",
        "_compute_acquisition_func",
        "_constant_liar",
        "_gamma",
        "_get_params",
        "_n_ei_candidates",
        "_n_startup_trials",
        "_parzen_estimator_cls",
        "_parzen_estimator_parameters",
        "_rng",
        "_sample",
        "_sample_relative",
    ),
    optuna.Study: ("_get_trials",),
    FrozenTrial: ("_trial_id",),
}
"""Optuna's private names that this module uses or overrides (see ``substitutes``)."""


class QuickTPE(TPESampler):
    """Optuna's TPE with ``ended``, which one sampler of a study hands to the next. Other options are Optuna's."""

    def __init__(self, *, ended: EndedTrials, **options: Any) -> None:
        super().__init__(**options)
        self._ended = ended
        self._parzen_estimator_cls = QuickParzenEstimator

    @override
    def _sample(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        running = [other for other in self._running(study) if other.number != trial.number]
        ended = self._ended_trials(study)
        self._ended.add(ended, -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0)
        running = [other for other in running if other._trial_id not in self._ended.seen.ids]  # noqa: SLF001
        order = self._ended.order()
        is_good = _is_best(self._ended.ranks[order], (self._gamma or default_gamma)(len(order)))
        values = self._ended.values_of(search_space)[order]
        bad = values[~is_good]
        if running:
            lies = np.array([internal_values(self._get_params(other, study), search_space) for other in running])
            numbers = [self._ended.numbers[order][~is_good], np.array([other.number for other in running])]
            bad = _by_number(numbers, [bad, lies])
        below, above = (self._estimator(found, search_space) for found in (values[is_good], bad))
        samples = below.sample(self._rng.rng, self._n_ei_candidates)
        chosen = self._compare(samples, self._compute_acquisition_func(samples, below, above))
        return {name: known.to_external_repr(chosen[name]) for name, known in search_space.items()}

    @override
    def _sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample as Optuna does, which counts the ended trials by reading all of them."""
        if not search_space or len(self._ended_trials(study)) < self._n_startup_trials:
            return {}
        return self._sample(study, trial, search_space)

    @staticmethod
    def _ended_trials(study: optuna.Study) -> list[FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def _running(self, study: optuna.Study) -> list[FrozenTrial]:
        """Return the running trials, which count as bad until they end.

        A trial that ends before the ended ones are read is found there too.
        """
        if not self._constant_liar:
            return []
        return study._get_trials(deepcopy=False, states=(TrialState.RUNNING,), use_cache=False)  # noqa: SLF001

    def _estimator(self, values: Values, space: SearchSpace) -> Any:
        values = values[~np.isnan(values).any(axis=1)]
        observations = {
            name: column.astype(int) if isinstance(known, CategoricalDistribution) else column
            for (name, known), column in zip(space.items(), values.T, strict=True)
        }
        return self._parzen_estimator_cls(observations, space, self._parzen_estimator_parameters)


def _is_best(ranks: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Return whether each trial, in the order of their numbers, is among the ``count`` best."""
    best = np.zeros(len(ranks), dtype=bool)
    level = np.arange(len(ranks))
    """Trials that the columns so far can't tell from the last of the best."""
    for column in ranks.T if 0 < count < len(ranks) else ():
        values = column[level]
        edge = np.partition(values, count - 1)[count - 1]
        better = level[values < edge]
        best[better] = True
        count -= len(better)
        level = level[values == edge]
    best[level[:count]] = True
    return best


def _by_number(numbers: list[NDArray[np.int_]], values: list[Values]) -> Values:
    return np.concatenate(values)[np.argsort(np.concatenate(numbers), kind="stable")]
