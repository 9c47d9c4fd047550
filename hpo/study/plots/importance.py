"""The importance of each dimension of the space, with an interval: bars from 30 trials alone would suggest too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from hpo.study.records import TrialRow
from hpo.study.search.sampling import distributions, quiet_experiments
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import contains
from hpo.trial.vocabulary import Scalar, TrialState

optuna.logging.set_verbosity(optuna.logging.WARNING)  # Optuna otherwise reports each resample's study
LEAST_TRIALS = 10
"""Number of complete trials below which no importance is computed."""
MOST_COMPLETE = 1_000
"""Number of complete trials that importances are computed from; of more, an even choice: the rest adds nothing to an
interval of a few hundredths, and takes minutes.
"""
RESAMPLES = 200
_MOST_TRIALS = 20_000
"""Number of trials in all resamples together; they take a few seconds."""


@dataclass(frozen=True)
class Importance:
    """The importance of one dimension, as a share of the whole, in [0, 1]."""

    name: str
    value: float
    low: float
    high: float
    """Upper end of the two-sided 90% interval over trials."""


def importances(spec: StudySpec, rows: Sequence[TrialRow]) -> tuple[Importance, ...]:
    """Compute PED-ANOVA (Watanabe, Bansal, Hutter 2023) over complete trials, with a bootstrap over trials.

    The largest comes first. Dimensions that only some trials have are left out. The result is empty where fewer than
    ``LEAST_TRIALS`` trials are complete or fewer than two dimensions are shared, because nothing can be compared then.
    """
    shared = [dimension.name for dimension in spec.searched.dimensions if not dimension.when]
    complete = [row for row in rows if row.state is TrialState.COMPLETE]
    if len(complete) > MOST_COMPLETE:
        some = np.random.default_rng(0).choice(len(complete), MOST_COMPLETE, replace=False)
        complete = [complete[index] for index in sorted(some)]
    complete = [row for row in complete if inside(spec, row).keys() >= set(shared)]
    if len(complete) < LEAST_TRIALS or len(shared) < 2:
        return ()
    known = distributions(spec.searched)
    shapes = {name: known[name] for name in shared}
    trials = [
        create_trial(value=row.value, params={name: row.params[name] for name in shared}, distributions=shapes)
        for row in complete
    ]
    point = _evaluate(trials, shared)
    generator = np.random.default_rng(0)
    resamples = max(20, min(RESAMPLES, _MOST_TRIALS // len(trials)))
    picked = generator.integers(len(trials), size=(resamples, len(trials)))
    samples = np.array([_evaluate([trials[index] for index in some], shared) for some in picked])
    low, high = np.quantile(samples, [0.05, 0.95], axis=0)
    found = [
        Importance(name, value, min(value, float(least)), max(value, float(most)))
        for name, value, least, most in zip(shared, point, low, high, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -each.value))


def inside(spec: StudySpec, row: TrialRow) -> dict[str, Scalar]:
    """Return a trial's values inside the space; a baseline may have others."""
    domains = {dimension.name: dimension.domain for dimension in spec.searched.dimensions}
    return {name: value for name, value in row.params.items() if name in domains and contains(domains[name], value)}


def _evaluate(trials: list[optuna.trial.FrozenTrial], names: Sequence[str]) -> list[float]:
    """Return the shares in the order of ``names``."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    with quiet_experiments():
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(), params=list(names))
    return [found[name] for name in names]
