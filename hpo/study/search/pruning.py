"""From a study's settings to a pruner."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)
from optuna.pruners._percentile import _get_best_intermediate_result_over_steps, _is_first_in_interval_step
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from hpo.study.optuna_internals.history import ordinal_of
from hpo.study.optuna_internals.met import Met
from hpo.study.search.sampling import quiet_experiments
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import Value
from hpo.studyfile.planning import rungs
from hpo.studyfile.schema import Method, StudySpec


class OrdinalHyperband(HyperbandPruner):
    """Hyperband whose brackets follow the proposal's ordinal: a retry, which has another number, keeps its bracket."""

    @override
    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        numbered: Any = SimpleNamespace(number=ordinal_of(trial))  # all that Optuna 5.0.0 reads of the trial
        return super()._get_bracket_id(study, numbered)


class QuickPercentile(PercentilePruner):
    """Optuna's, for one study: the values of complete trials are kept by step, instead of being looked for in all of
    them at every epoch of every trial.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._met = Met()
        self._at_step: dict[int, NDArray[np.float64]] = {}
        self._guard = threading.Lock()
        """A worker's slots share its pruner."""

    @override
    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """As in Optuna 5.0.0; tests compare the answers."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        step = trial.last_step
        if not complete or len(complete) < self._n_startup_trials or step is None or step < self._n_warmup_steps:
            return False
        if not _is_first_in_interval_step(
            step, trial.intermediate_values.keys(), self._n_warmup_steps, self._interval_steps
        ):
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
            news: dict[int, list[float]] = {}
            for trial in self._met.news(complete):
                for at, value in trial.intermediate_values.items():
                    news.setdefault(at, []).append(value)
            for at, values in news.items():
                self._at_step[at] = np.append(self._at_step.get(at, []), values)
            return self._at_step.get(step, np.empty(0))


class QuickMedian(QuickPercentile, MedianPruner):
    """Optuna's, which is a percentile pruner of 50."""


CLASSES: dict[str, type[BasePruner]] = {
    "hyperband": OrdinalHyperband,
    "sha": SuccessiveHalvingPruner,
    "median": QuickMedian,
    "percentile": QuickPercentile,
    "patient": PatientPruner,
    "threshold": ThresholdPruner,
    "none": NopPruner,
}
"""By the names of ``hpo.studyfile.methods.pruners``; a test compares them."""


def build_pruner(spec: StudySpec) -> BasePruner:
    """With the options that ``hpo.studyfile.planning.rungs`` derives from the epochs where the file names none."""
    return _build(Method(spec.search.pruner.name, tuple(rungs.pruner_options(spec).items())))


def keeps_notes(spec: StudySpec) -> bool:
    """Whether trials are compared by what their pruner has noted on them, and not by their values alone."""
    return _keeps_notes(spec.search.pruner)


def _keeps_notes(pruner: Method) -> bool:
    wrapped = (value for _, value in pruner.options if isinstance(value, Method))
    return PRUNERS[pruner.name].keeps_notes or any(_keeps_notes(each) for each in wrapped)


def _build(method: Method) -> BasePruner:
    options = PRUNERS[method.name].options
    wrapping = {name for name, _ in method.options if options[name].value is Value.PRUNER}
    arguments: dict[str, Any] = {name: value for name, value in method.options if name not in wrapping}
    for name, value in method.options:
        if name in wrapping:
            arguments[f"{name}_pruner"] = None if value is None else _build(value)
    with quiet_experiments():
        return CLASSES[method.name](**arguments)
