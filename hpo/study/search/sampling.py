"""From our space to Optuna's distributions, and from a study's settings to a sampler."""

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
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from hpo.study.optuna_internals import substitutes
from hpo.study.optuna_internals.ended_trials import EndedTrials
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Domain, FloatRange, IntRange, Space, is_active
from hpo.trial.vocabulary import Scalar


def distribution(domain: Domain) -> BaseDistribution:
    match domain:
        case FloatRange(low, high, log, step):
            with warnings.catch_warnings():
                # a high that is no whole number of steps away is lowered by Optuna to the last tick, as ours is meant
                warnings.filterwarnings("ignore", "The distribution is specified by", UserWarning)
                return FloatDistribution(low, high, log=log, step=step)
        case IntRange(low, high, log, step):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The distribution is specified by", UserWarning)
                return IntDistribution(low, high, log=log, step=step)
        case Choices(values):
            return CategoricalDistribution(values)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna's distribution of every dimension, conditional ones included; fixed values are none of its business."""
    return {dimension.name: distribution(dimension.domain) for dimension in space.dimensions}


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Scalar]:
    """Values of the active dimensions in the space's order, as Python's own types."""
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
    """What a sampler for one proposal is built from."""

    spec: StudySpec
    seed: int
    """For this proposal alone."""
    ended: EndedTrials | None
    """What TPE keeps from one proposal to the next."""

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.spec.search.sampler.options)


def build_sampler(spec: StudySpec, ordinal: int, ended: EndedTrials | None = None) -> BaseSampler:
    """A fresh sampler for one proposal: equal seed, ordinal and history give an equal proposal, whoever asks.

    A sampler that lives on draws from one stream of random numbers, which a restart would begin anew. ``ended``: what
    TPE keeps from one proposal to the next.
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
    """One sequence for the whole study; Optuna counts its points in the study's attributes."""
    options = {"scramble": True, "independent_sampler": RandomSampler(seed=draw.seed), **draw.options}
    return QMCSampler(seed=draw.spec.search.seed, **_QUIET, **options)


def _random(draw: Draw) -> BaseSampler:
    """For a grid, too, whose points are handed to Optuna as fixed parameters."""
    return RandomSampler(seed=draw.seed)


def _nsga2(draw: Draw) -> BaseSampler:
    return NSGAIISampler(seed=draw.seed, **draw.options)


_QUIET: dict[str, Any] = {"warn_independent_sampling": False}
"""Conditional and first values are drawn so on purpose."""
BUILDERS: dict[str, Callable[[Draw], BaseSampler]] = {
    "tpe": _tpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "random": _random,
    "grid": _random,
    "nsga2": _nsga2,
}
"""By the names of ``hpo.studyfile.methods.samplers``; a test compares them."""


def _has_conditions(space: Space) -> bool:
    return any(dimension.when for dimension in space.dimensions)


@contextmanager
def quiet_experiments() -> Iterator[None]:
    """Optuna warns of options that were asked for as experimental; its version is locked, so no user need hear it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
