"""Optuna's distributions from our space, and samplers from a study's settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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


def distribution(domain: Domain) -> FloatDistribution | IntDistribution | CategoricalDistribution:
    with warnings.catch_warnings():
        # Optuna lowers a high bound that is off the grid to the last tick, which is what our ranges mean too
        warnings.filterwarnings("ignore", "The distribution is specified by", UserWarning)
        match domain:
            case FloatRange(low, high, log, step):
                return FloatDistribution(low, high, log=log, step=step)
            case IntRange(low, high, log, step):
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


def build_sampler(spec: StudySpec, ordinal: int, ended: EndedTrials | None = None) -> BaseSampler:
    """Build a fresh sampler for one proposal.

    Equal seed, ordinal and history give an equal proposal, whichever worker asks. A sampler with a long life would draw
    from one stream of random numbers, which a restart would begin again. ``ended``: columns that TPE keeps from one
    proposal to the next.
    """
    name, options = spec.search.sampler.name, dict(spec.search.sampler.options)
    seed = int(np.random.SeedSequence((spec.search.seed, ordinal)).generate_state(1)[0])
    sampler_class: type[Any] = CLASSES[name]
    if name == "tpe":
        if options.get("multivariate") is not False and any(dimension.when for dimension in spec.searched.dimensions):
            options.setdefault("group", True)
        if ended is not None and (quick := substitutes.of(name)) is not None:
            sampler_class, options["ended"] = quick, ended
    with quiet_experiments():
        sampler: BaseSampler = sampler_class(**{"seed": seed, **_defaults(spec, seed), **options})
    return sampler


def _defaults(spec: StudySpec, seed: int) -> dict[str, Any]:
    """Return our own defaults of a sampler. Conditional and first values are drawn independently on purpose."""
    match spec.search.sampler.name:
        case "gp" | "cmaes":
            return {"warn_independent_sampling": False}
        case "qmc":  # one sequence for the whole study; Optuna counts its points in the study's attributes
            independent = {"independent_sampler": RandomSampler(seed=seed), "warn_independent_sampling": False}
            return {"seed": spec.search.seed, "scramble": True, **independent}
        case _:
            return {}


CLASSES: dict[str, type[BaseSampler]] = {
    "tpe": TPESampler,
    "gp": GPSampler,
    "cmaes": CmaEsSampler,
    "qmc": QMCSampler,
    "random": RandomSampler,
    "grid": RandomSampler,  # its points are given to Optuna as fixed parameters
    "nsga2": NSGAIISampler,
}
"""Samplers by the names of ``hpo.studyfile.methods.samplers``; a test compares them."""


@contextmanager
def quiet_experiments() -> Iterator[None]:
    """Silence Optuna's warnings of experimental options that the user chose; its version is locked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
