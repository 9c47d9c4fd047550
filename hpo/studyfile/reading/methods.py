"""Samplers and pruners by their short names, and the options that a study file may give them.

The names of the options are Optuna's own arguments; a test compares this table with the installed classes. It lives
here so that a study file is checked without importing Optuna.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpo.studyfile.schema import Method
from hpo.studyfile.text import fields
from hpo.studyfile.text.fields import Field, Reader
from hpo.studyfile.text.report import nearest


@dataclass(frozen=True)
class Kind:
    """What a sampler or pruner is in Optuna, and what may be set."""

    optuna: str
    """Name of the class."""
    options: dict[str, Reader]
    required: tuple[str, ...] = ()


def _up_to(high: float, low: float = 0.0) -> Reader:
    def read(field: Field) -> float | None:
        value = fields.real(field)
        if value is not None and not low <= value <= high:
            field.fail(f"must lie in {low:g} to {high:g}, not {value:g}")
            return None
        return value

    return read


_COUNT = fields.at_least(fields.whole, 0)
_FROM_1 = fields.at_least(fields.whole, 1)
_FROM_2 = fields.at_least(fields.whole, 2)
_FLAG = fields.flag
_SHARE = _up_to(1.0)
_EPOCHS = {"n_warmup_steps": _COUNT, "interval_steps": _FROM_1}
_STARTUP = {"n_startup_trials": _COUNT, "n_min_trials": _FROM_1}

SAMPLERS: dict[str, Kind] = {
    "tpe": Kind(
        "TPESampler",
        {
            "n_startup_trials": _COUNT,
            "n_ei_candidates": _FROM_1,
            "multivariate": _FLAG,
            "group": _FLAG,
            "constant_liar": _FLAG,
        },
    ),
    "gp": Kind("GPSampler", {"n_startup_trials": _COUNT, "deterministic_objective": _FLAG}),
    "cmaes": Kind(
        "CmaEsSampler",
        {
            "n_startup_trials": _COUNT,
            "popsize": _FROM_2,
            "consider_pruned_trials": _FLAG,
            "use_separable_cma": _FLAG,
            "with_margin": _FLAG,
            "lr_adapt": _FLAG,
        },
    ),
    "qmc": Kind("QMCSampler", {"qmc_type": fields.one_of(("sobol", "halton")), "scramble": _FLAG}),
    "random": Kind("RandomSampler", {}),
    "grid": Kind("GridSampler", {}),
    "nsga2": Kind(
        "NSGAIISampler",
        {"population_size": _FROM_2, "mutation_prob": _SHARE, "crossover_prob": _SHARE, "swapping_prob": _SHARE},
    ),
}


def _wrapped(field: Field) -> Method | None:
    return method(field, {name: known for name, known in PRUNERS.items() if name != "patient"}, "pruner")


PRUNERS: dict[str, Kind] = {
    "hyperband": Kind(
        "HyperbandPruner",
        {"min_resource": _FROM_1, "max_resource": _FROM_1, "reduction_factor": _FROM_2, "bootstrap_count": _COUNT},
    ),
    "sha": Kind(
        "SuccessiveHalvingPruner",
        {
            "min_resource": _FROM_1,
            "reduction_factor": _FROM_2,
            "min_early_stopping_rate": _COUNT,
            "bootstrap_count": _COUNT,
        },
    ),
    "median": Kind("MedianPruner", {**_STARTUP, **_EPOCHS}),
    "percentile": Kind("PercentilePruner", {"percentile": _up_to(100.0), **_STARTUP, **_EPOCHS}, ("percentile",)),
    "patient": Kind(
        "PatientPruner",
        {"wrapped": _wrapped, "patience": _COUNT, "min_delta": fields.at_least(fields.real, 0.0)},
        ("patience",),
    ),
    "threshold": Kind("ThresholdPruner", {"lower": _SHARE, **_EPOCHS}, ("lower",)),
    "none": Kind("NopPruner", {}),
}


def sampler(field: Field) -> Method | None:
    found = method(field, SAMPLERS, "sampler")
    return found and _consistent(field, found)


def pruner(field: Field) -> Method | None:
    return method(field, PRUNERS, "pruner")


def method(field: Field, known: dict[str, Kind], what: str) -> Method | None:
    """``tpe`` or ``{name: tpe, n_startup_trials: 10}``."""
    entries = field.entries
    if entries is None:
        name = fields.one_of(known)(field)
        return None if name is None else _with_options(field, name, known[name])
    if "name" not in entries:
        field.fail(f"names no {what}: write `name: ...`{nearest('', known)}")
        return None
    name = fields.one_of(known)(entries["name"])
    return None if name is None else _with_options(field, name, known[name])


def _with_options(field: Field, name: str, kind: Kind) -> Method | None:
    before = len(field.report.problems)
    given: dict[str, Any] = {}
    for option, child in (field.entries or {}).items():
        if option == "name" or child.node.value is None:
            continue
        reader = kind.options.get(option)
        if reader is None:
            child.fail(_unknown_option(name, option, kind))
        else:
            given[option] = reader(child)
    for option in kind.required:
        if option not in given:
            field.fail(f"{name} needs `{option}`: write {{name: {name}, {option}: ...}}")
    if len(field.report.problems) > before:
        return None
    return Method(name, tuple(sorted(given.items())))


def _unknown_option(name: str, option: str, kind: Kind) -> str:
    if option == "seed" and name in SAMPLERS:
        return "is set by `search.seed`"
    if name == "threshold" and option == "upper":
        return "would stop the best trials: every metric is better when larger; `lower` stops the hopeless ones"
    if not kind.options:
        return f"{name} has no options"
    return f"unknown option of {name}{nearest(option, kind.options)}"


def _consistent(field: Field, found: Method) -> Method | None:
    """Options that Optuna's constructor refuses together."""
    on = {option for option, value in found.options if value is True}
    if "group" in on and ("multivariate", False) in found.options:
        field.fail("`group` splits a multivariate model: it goes with `multivariate: true` only")
    elif "lr_adapt" in on and on & {"use_separable_cma", "with_margin"}:
        field.fail("`lr_adapt` goes with neither `use_separable_cma` nor `with_margin`: keep one")
    elif {"use_separable_cma", "with_margin"} <= on:
        field.fail("`use_separable_cma` and `with_margin` exclude each other: keep one")
    else:
        return found
    return None
