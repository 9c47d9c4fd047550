"""The tables of samplers and pruners agree with the installed Optuna."""

from __future__ import annotations

import inspect
import json
import warnings
from typing import Any

import optuna
import pytest

from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import MethodRow, OptionValue
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.planning import rungs
from hpo.studyfile.schema import Method
from tests.studyfile.conftest import Studio
from tests.studyfile.examples import required_of, value_of

LEFT_OUT = {
    # set by the study or by the service
    "seed": "search.seed",
    "constraints_func": "the study's own",
    "independent_sampler": "an object",
    "search_space": "the space",
    "wrapped_pruner": "the option `wrapped`",
    # objects and functions, which YAML can't express
    **dict.fromkeys(("gamma", "weights", "mutation", "crossover", "x0", "source_trials"), "no plain value"),
    **dict.fromkeys(
        ("elite_population_selection_strategy", "child_generation_strategy", "after_trial_strategy"), "no plain value"
    ),
    # deprecated in Optuna 5
    **dict.fromkeys(("consider_prior", "prior_weight", "consider_magic_clip", "consider_endpoints"), "deprecated"),
    **dict.fromkeys(("sigma0", "restart_strategy", "inc_popsize"), "deprecated"),
    # warnings
    **dict.fromkeys(("warn_independent_sampling", "warn_asynchronous_seeding"), "a warning for people in notebooks"),
    "upper": "would stop the best trials",
}
OURS = {"wrapped"}
ROWS: dict[str, MethodRow] = {**SAMPLERS, **PRUNERS}


@pytest.mark.parametrize(
    ("library", "name"),
    [*((optuna.samplers, name) for name in SAMPLERS), *((optuna.pruners, name) for name in PRUNERS)],
)
def test_options_are_arguments_of_optuna_and_every_argument_is_an_option_or_left_out_for_a_reason(
    library: Any, name: str
) -> None:
    row = ROWS[name]
    parameters = inspect.signature(getattr(library, row.optuna)).parameters
    assert set(row.options) - OURS <= set(parameters)
    assert set(parameters) - set(row.options) <= set(LEFT_OUT)
    required = {key for key, parameter in parameters.items() if parameter.default is parameter.empty}
    assert required - set(LEFT_OUT) <= set(row.required)


SETTINGS = [
    "{name: tpe, n_startup_trials: 3, n_ei_candidates: 8, multivariate: true, group: true, constant_liar: true}",
    "{name: gp, n_startup_trials: 3, deterministic_objective: true}",
    "{name: cmaes, n_startup_trials: 2, popsize: 4, use_separable_cma: true, consider_pruned_trials: true}",
    "{name: cmaes, lr_adapt: true}",
    "{name: cmaes, with_margin: true}",
    "{name: qmc, qmc_type: halton, scramble: true}",
    "{name: random}",
    "{name: nsga2, population_size: 2, mutation_prob: 0.5, crossover_prob: 1, swapping_prob: 0}",
]


@pytest.mark.parametrize("text", SETTINGS)
def test_a_sampler_that_loads_is_one_that_optuna_builds(studio: Studio, text: str) -> None:
    method = studio.load(f"search.sampler={text}").search.sampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        getattr(optuna.samplers, SAMPLERS[method.name].optuna)(**dict(method.options))


@pytest.mark.parametrize(("key", "name"), [*(("sampler", n) for n in SAMPLERS), *(("pruner", n) for n in PRUNERS)])
def test_every_option_of_a_row_is_read_and_what_lies_outside_its_bounds_is_refused(
    studio: Studio, key: str, name: str
) -> None:
    for option, allowed in ROWS[name].options.items():
        given = {**required_of(ROWS[name]), option: value_of(allowed)}
        text = json.dumps({"name": name, **given})
        found = dict(getattr(studio.load(f"search.{key}={text}").search, key).options)
        assert found[option] == (Method("none") if allowed.value is OptionValue.PRUNER else value_of(allowed))
        for beyond in [bound + step for bound, step in ((allowed.low, -1), (allowed.high, 1)) if bound is not None]:
            text = json.dumps({"name": name, **given, option: beyond})
            assert studio.problem(f"search.{key}={text}").path == f"search.{key}.{option}"


def test_every_row_says_what_its_method_does() -> None:
    assert all(row.does for row in ROWS.values())
    assert all(set(row.required) <= set(row.options) for row in ROWS.values())
    assert all(set(row.defaults) <= set(row.options) for row in PRUNERS.values())


PRUNER_SETTINGS = [
    "hyperband",
    "{name: hyperband, min_resource: 2, max_resource: 9, reduction_factor: 2, bootstrap_count: 1}",
    "sha",
    "{name: sha, min_resource: 2, reduction_factor: 3, min_early_stopping_rate: 1, bootstrap_count: 1}",
    "{name: median, n_startup_trials: 0, n_warmup_steps: 0, interval_steps: 2, n_min_trials: 2}",
    "{name: percentile, percentile: 25}",
    "{name: threshold, lower: 0.1}",
    "{name: patient, patience: 2}",
    "{name: patient, patience: 2, wrapped: none, min_delta: 0.01}",
    "{name: patient, patience: 0, wrapped: {name: percentile, percentile: 25.0}}",
]


def _build(name: str, options: dict[str, Any]) -> optuna.pruners.BasePruner:
    if "wrapped" in options:
        inner = options.pop("wrapped")
        options["wrapped_pruner"] = None if inner is None else _build(inner.name, dict(inner.options))
    pruner: optuna.pruners.BasePruner = getattr(optuna.pruners, PRUNERS[name].optuna)(**options)
    return pruner


@pytest.mark.parametrize("epochs", [1, 5, 20])
@pytest.mark.parametrize("text", PRUNER_SETTINGS)
def test_a_pruner_that_loads_is_one_that_optuna_builds_complete(studio: Studio, text: str, epochs: int) -> None:
    spec = studio.load(f"search.pruner={text}", f"train.epochs={epochs}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        _build(spec.search.pruner.name, rungs.pruner_options(spec))


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("sampler", "{name: tpe, n_startup_trials: -1}", "at least 0"),
        ("sampler", "{name: tpe, n_startup_trials: few}", "must be a number"),
        ("sampler", "{name: tpe, n_startup: 3}", "did you mean n_startup_trials?"),
        ("sampler", "{name: tpe, multivariate: false, group: true}", "multivariate: true"),
        ("sampler", "{name: random, n_startup_trials: 3}", "has no options"),
        ("sampler", "{name: nsga2, mutation_prob: 1.5}", "0 to 1"),
        ("sampler", "{name: qmc, qmc_type: sobel}", "did you mean sobol?"),
        ("sampler", "{name: cmaes, lr_adapt: true, with_margin: true}", "keep one"),
        ("sampler", "{name: cmaes, use_separable_cma: true, with_margin: true}", "exclude each other"),
        ("sampler", "7", "not among"),
        ("pruner", "percentile", "needs `percentile`"),
        ("pruner", "threshold", "needs `lower`"),
        ("pruner", "{name: threshold, lower: 0.1, upper: 0.9}", "stop the best trials"),
        ("pruner", "patient", "needs `patience`"),
        ("pruner", "{name: patient, patience: 2, wrapped: patient}", "not among"),
        ("pruner", "{name: patient, patience: 2, wrapped: {name: sha, min_resourc: 3}}", "did you mean min_resource?"),
        ("pruner", "{name: hyperband, max_resource: auto}", "must be a number"),
        ("pruner", "{name: hyperband, reduction_factor: 1}", "at least 2"),
        ("pruner", "{name: median, interval_steps: 0}", "at least 1"),
    ],
)  # fmt: skip
def test_options_that_optuna_would_refuse_or_misread_are_refused(
    studio: Studio, key: str, text: str, message: str
) -> None:
    assert message in studio.problem(f"search.{key}={text}").message


def test_a_wrapped_pruner_is_a_method_of_its_own(studio: Studio) -> None:
    spec = studio.load("search.pruner={name: patient, patience: 2, wrapped: median}")
    assert dict(spec.search.pruner.options)["wrapped"] == Method("median")
