"""Optuna's percentile and median pruners without a search through all trials at every epoch."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.pruners import MedianPruner, PercentilePruner
from optuna.pruners._percentile import _get_best_intermediate_result_over_steps, _is_first_in_interval_step
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from hpo.study.optuna_internals.seen_trials import SeenTrials

NEEDS = {PercentilePruner: ("_interval_steps", "_n_min_trials", "_n_startup_trials", "_n_warmup_steps", "_percentile")}
"""Optuna's private names that this module uses, beside what it imports (see ``substitutes``)."""


class QuickPercentile(PercentilePruner):
    """Optuna's percentile pruner, for one study.

    The values of complete trials are kept by step. Optuna searches all trials for them at every epoch of every trial.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seen = SeenTrials()
        self._at_step: dict[int, NDArray[np.float64]] = {}
        self._guard = threading.Lock()
        """A worker's slots share its pruner."""

    @override
    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Decide as Optuna 5.0.0 does; tests compare the answers."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        step = trial.last_step
        if not complete or len(complete) < self._n_startup_trials or step is None or step < self._n_warmup_steps:
            return False
        steps = trial.intermediate_values.keys()
        if not _is_first_in_interval_step(step, steps, self._n_warmup_steps, self._interval_steps):
            return False
        best = _get_best_intermediate_result_over_steps(trial, study.direction)
        if math.isnan(best):
            return True
        reached = self._values(complete, step)
        if len(reached) < self._n_min_trials:
            return False
        maximize = study.direction == StudyDirection.MAXIMIZE
        limit = np.nanpercentile(reached, 100 - self._percentile if maximize else self._percentile)
        return bool(best < limit if maximize else best > limit)  # False where the limit is NaN

    def _values(self, complete: Sequence[FrozenTrial], step: int) -> NDArray[np.float64]:
        with self._guard:
            added: dict[int, list[float]] = {}
            for trial in self._seen.unseen(complete):
                for at, value in trial.intermediate_values.items():
                    added.setdefault(at, []).append(value)
            for at, values in added.items():
                self._at_step[at] = np.append(self._at_step.get(at, []), values)
            return self._at_step.get(step, np.empty(0))


class QuickMedian(QuickPercentile, MedianPruner):
    """Optuna's median pruner, which is a percentile pruner of 50."""
