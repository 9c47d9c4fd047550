"""Densities computed candidate by candidate equal Optuna's, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters

from hpo.study.optuna_internals.parzen import QuickParzenEstimator

CONTINUOUS: dict[str, BaseDistribution] = {
    "lr0": FloatDistribution(1e-5, 1e-1, log=True),
    "mosaic": FloatDistribution(0.0, 1.0),
    "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
}
MANY: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0.0, 1.0 + i) for i in range(11)}
CHOICES: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(["SGD", "AdamW", "auto"]),
    "cos_lr": CategoricalDistribution([False, True]),
}
STEPS: dict[str, BaseDistribution] = {
    "epochs": IntDistribution(10, 100, step=10),
    "batch": IntDistribution(1, 64, log=True),
    "box": FloatDistribution(1.0, 9.0, step=0.5),
}
SETTINGS = _ParzenEstimatorParameters(1.0, True, False, np.ones, multivariate=True)


def _observed(space: dict[str, BaseDistribution], count: int, rng: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, known in space.items():
        match known:
            case CategoricalDistribution(choices=choices):
                found[name] = rng.integers(len(choices), size=count)
            case IntDistribution(low=low, high=high, step=step):
                found[name] = low + step * rng.integers((high - low) // step + 1, size=count).astype(float)
            case FloatDistribution(low=low, high=high, log=True):
                found[name] = np.exp(rng.uniform(np.log(low), np.log(high), count))
            case FloatDistribution(low=low, high=high, step=step):
                values = rng.uniform(low, high, count)
                found[name] = values if step is None else low + np.floor((values - low) / step) * step
            case _:
                raise TypeError(known)
    return found


@pytest.mark.parametrize("count", [0, 1, 7, 300, 5000])
@pytest.mark.parametrize(
    "space",
    [CONTINUOUS, MANY, CHOICES, {**CHOICES, **CONTINUOUS}, {**CONTINUOUS, **STEPS, **CHOICES}],
    ids=" ".join,
)
def test_densities_are_optunas(space: dict[str, BaseDistribution], count: int) -> None:
    rng = np.random.default_rng(count)
    observed = _observed(space, count, rng)
    ours, theirs = (kind(observed, space, SETTINGS) for kind in (QuickParzenEstimator, _ParzenEstimator))
    samples = theirs.sample(np.random.RandomState(count), 24)
    assert np.array_equal(ours.log_pdf(samples), theirs.log_pdf(samples))


def test_what_lies_outside_the_space_has_no_density() -> None:
    space: dict[str, BaseDistribution] = {"mosaic": FloatDistribution(0.0, 1.0)}
    observed = {"mosaic": np.array([0.2, 0.4])}
    ours, theirs = (kind(observed, space, SETTINGS) for kind in (QuickParzenEstimator, _ParzenEstimator))
    samples = {"mosaic": np.array([-0.5, 0.3, 1.5])}
    with np.errstate(divide="ignore"):
        assert np.array_equal(ours.log_pdf(samples), theirs.log_pdf(samples))
    assert list(np.isneginf(ours.log_pdf(samples))) == [True, False, True]


def test_a_choice_that_no_kernel_holds_is_as_in_optuna() -> None:
    settings = SETTINGS._replace(prior_weight=0.0)
    observed = {"optimizer": np.array([0, 0, 1]), "cos_lr": np.array([0, 1, 1])}
    ours, theirs = (kind(observed, CHOICES, settings) for kind in (QuickParzenEstimator, _ParzenEstimator))
    samples = {"optimizer": np.array([2, 0]), "cos_lr": np.array([0, 0])}
    with np.errstate(all="ignore"):
        assert np.array_equal(ours.log_pdf(samples), theirs.log_pdf(samples), equal_nan=True)
