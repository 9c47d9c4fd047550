"""Optuna's distributions from our space, and samplers from a study's settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler

from hpo.study.optuna_internals import substitutes
from hpo.study.optuna_internals.ended_trials import EndedTrials
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Domain, FloatRange, IntRange, Space, is_active
from hpo.trial.vocabulary import Scalar


def distribution(domain: Domain) -> BaseDistribution:
    match domain:
        case FloatRange(low, high, log, step):
            with warnings.catch_warnings():
                # Optuna lowers a high bound that is off the grid to the last tick, which is what our ranges mean too
                warnings.filterwarnings("ignore", "The distribution is specified by", UserWarning)
                return FloatDistribution(low, high, log=log, step=step)
        case IntRange(low, high, log, step):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The distribution is specified by", UserWarning)
                return IntDistribution(low, high, log=log, step=step)
        case Choices(values):
            return CategoricalDistribution(values)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of every dimension, conditional ones included, without fixed values."""
    return {dimension.name: distribution(dimension.domain) for dimension in space.dimensions}


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Scalar]:
    """Return the values of the active dimensions in the space's order, as Python's own types."""
    params: dict[str, Scalar] = {}
    for dimension in space.dimensions:
        if is_active(dimension, {**dict(space.fixed), **params}):
            params[dimension.name] = _suggest(trial, dimension.name, dimension.domain)
    return params


def _suggest(trial: optuna.Trial, name: str, domain: Domain) -> Scalar:
    match distribution(domain):
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return float(trial.suggest_float(name, low, high, log=log, step=step))
        case IntDistribution(low=low, high=high, log=log, step=step):
            return int(trial.suggest_int(name, low, high, log=log, step=step))
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case other:
            raise TypeError(f"space.{name}: {other} is no distribution of ours")


@dataclass(frozen=True)
class Draw:
    """The input for building a sampler of one proposal."""

    spec: StudySpec
    seed: int
    """Seed for this proposal only."""
    ended: EndedTrials | None
    """Columns that TPE keeps from one proposal to the next."""

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.spec.search.sampler.options)


def build_sampler(spec: StudySpec, ordinal: int, ended: EndedTrials | None = None) -> BaseSampler:
    """Build a fresh sampler for one proposal.

    Equal seed, ordinal and history give an equal proposal, whichever worker asks. A sampler with a long life would draw
    from one stream of random numbers, which a restart would begin again. ``ended``: columns that TPE keeps from one
    proposal to the next.
    """
    seed = int(np.random.SeedSequence((spec.search.seed, ordinal)).generate_state(1)[0])
    with quiet_experiments():
        return BUILDERS[spec.search.sampler.name](Draw(spec, seed, ended))


def _tpe(draw: Draw) -> BaseSampler:
    options = draw.options
    if options.get("multivariate") is not False and _has_conditions(draw.spec.searched):
        options.setdefault("group", True)
    quick = None if draw.ended is None else substitutes.of("tpe")
    if quick is None:
        return TPESampler(seed=draw.seed, **options)
    sampler: BaseSampler = quick(seed=draw.seed, ended=draw.ended, **options)
    return sampler


def _gp(draw: Draw) -> BaseSampler:
    return GPSampler(seed=draw.seed, **_QUIET, **draw.options)


def _cmaes(draw: Draw) -> BaseSampler:
    return CmaEsSampler(seed=draw.seed, **_QUIET, **draw.options)


def _qmc(draw: Draw) -> BaseSampler:
    """Build one sequence for the whole study; Optuna counts its points in the study's attributes."""
    options = {"scramble": True, "independent_sampler": RandomSampler(seed=draw.seed), **draw.options}
    return QMCSampler(seed=draw.spec.search.seed, **_QUIET, **options)


def _random(draw: Draw) -> BaseSampler:
    """Build a random sampler. A grid uses it too: its points are given to Optuna as fixed parameters."""
    return RandomSampler(seed=draw.seed)


def _nsga2(draw: Draw) -> BaseSampler:
    return NSGAIISampler(seed=draw.seed, **draw.options)


_QUIET: dict[str, Any] = {"warn_independent_sampling": False}
"""Conditional and first values are drawn independently on purpose."""
BUILDERS: dict[str, Callable[[Draw], BaseSampler]] = {
    "tpe": _tpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "random": _random,
    "grid": _random,
    "nsga2": _nsga2,
}
"""Builders by the names of ``hpo.studyfile.methods.samplers``; a test compares them."""


def _has_conditions(space: Space) -> bool:
    return any(dimension.when for dimension in space.dimensions)


@contextmanager
def quiet_experiments() -> Iterator[None]:
    """Silence Optuna's warnings of experimental options that the user chose; its version is locked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
