"""When a trial may be stopped: pruners that know how a detector learns.

A decision at epoch e uses the report after epoch e, counted from 1, which is Optuna's step. Early scores say nothing
during warm-up, and they jump where mosaic closes; after the last epoch there is nothing to save.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.planning.plan import tied_close_mosaic
from hpo.studyfile.schema import Method, StudySpec
from hpo.studyfile.space import Choices

_EARLIEST = 4
"""Fitness is about 0 for the first two or three epochs, whatever the setting."""
_SHARE = 0.3
_HALVING = ("hyperband", "sha")


@dataclass(frozen=True)
class PruningPlan:
    """The epochs at which a trial may be stopped."""

    first: int | None
    """No decision falls before this epoch; None where the training is too short, or nothing is to be stopped."""
    silent: frozenset[int]
    """Epochs at which nothing is decided: mosaic closes in it or just did, or it is the last."""
    rungs: tuple[int, ...]
    """Epochs at which decisions can fall, ascending."""


def plan(spec: StudySpec, train_args: Mapping[str, Any] | None = None) -> PruningPlan:
    """The plan of a trial with ``train_args``; without them, what holds for every trial of the study.

    They differ where ``close_mosaic``, or what it closes, is sampled: then only a trial's own plan knows the epochs
    around it.
    """
    options = pruner_options(spec)
    silent = _silent(spec, train_args)
    first = _first_option(spec.search.pruner, options)
    if first is None:
        return PruningPlan(None, silent, ())
    rungs = _rungs(spec.search.pruner, options, first, spec.epochs, silent)
    return PruningPlan(first if rungs else None, silent, rungs)


def pruner_options(spec: StudySpec) -> dict[str, Any]:
    """Arguments of Optuna's class, complete: explicit options over what suits a detector.

    For ``patient`` the wrapped pruner is given under ``wrapped``, a ``Method`` with complete options or None. The
    options of a pruner whose first decision would lie behind the training (``plan`` says so) are valid all the same.
    """
    return _options(spec, spec.search.pruner)


def _options(spec: StudySpec, pruner: Method) -> dict[str, Any]:
    given = dict(pruner.options)
    first = _first(spec, warmup_bound(spec))
    waiting = {"n_warmup_steps": first, "interval_steps": 1}
    match pruner.name:
        case "hyperband":
            lowest = given.get("min_resource", first)
            return {"min_resource": first, "max_resource": max(spec.epochs, lowest), "reduction_factor": 3} | given
        case "sha":
            return {"min_resource": first, "reduction_factor": 4, "min_early_stopping_rate": 0} | given
        case "median" | "percentile":
            return {"n_startup_trials": 5, "n_min_trials": 1} | waiting | given
        case "threshold":
            return waiting | given
        case "patient":
            inner = given.pop("wrapped", Method("median"))
            wrapped = None if inner.name == "none" else Method(inner.name, tuple(_options(spec, inner).items()))
            return {"wrapped": wrapped, "min_delta": 0.0} | given
        case _:
            return {}


def warmup_bound(spec: StudySpec) -> float:
    """The longest warm-up of any trial, epochs."""
    dimension = spec.space.get("warmup_epochs")
    if dimension is None:
        fixed = dict(spec.space.fixed).get("warmup_epochs", spec.train_args.get("warmup_epochs"))
        return _number(arguments.defaults()["warmup_epochs"] if fixed is None else fixed)
    if isinstance(dimension.domain, Choices):
        return max(_number(value) for value in dimension.domain.values)
    return float(dimension.domain.high)


def _number(value: Any) -> float:
    return float(value)


def _first(spec: StudySpec, warmup: float) -> int:
    """The first epoch whose report says something, from 1."""
    after_warmup = math.floor(min(warmup, spec.epochs - 1)) + 1
    return max(_EARLIEST, after_warmup, math.ceil(_SHARE * spec.epochs - 1e-9))


def _first_option(pruner: Method, options: Mapping[str, Any]) -> int | None:
    """The first epoch at which Optuna would decide."""
    match pruner.name:
        case "hyperband":
            return int(options["min_resource"])
        case "sha":
            return int(options["min_resource"] * options["reduction_factor"] ** options["min_early_stopping_rate"])
        case "median" | "percentile" | "threshold":
            return max(1, int(options["n_warmup_steps"]))
        case "patient":
            # It compares the last patience + 1 reports with those before, so it needs patience + 2 of them.
            own = int(options["patience"]) + 2
            wrapped: Method | None = options["wrapped"]
            inner = _EARLIEST if wrapped is None else _first_option(wrapped, dict(wrapped.options))
            return None if inner is None else max(own, inner)
        case _:
            return None


def _silent(spec: StudySpec, train_args: Mapping[str, Any] | None) -> frozenset[int]:
    last = spec.epochs
    closing = _closing(spec, train_args)
    around = set() if closing is None else {closing, closing + 1}
    return frozenset(epoch for epoch in (*around, last) if 1 <= epoch <= last)


def _closing(spec: StudySpec, train_args: Mapping[str, Any] | None) -> int | None:
    """The epoch, from 1, that is the first one without mosaic; None where none is, or where it differs by trial."""
    fixed = {**spec.train_args, **dict(spec.space.fixed)}
    if train_args is None and spec.space.get("close_mosaic") is not None:
        return None
    known = fixed if train_args is None else train_args
    length = int(known.get("close_mosaic", tied_close_mosaic(spec.epochs)))
    if length == 0 or length >= spec.epochs or not _augments(spec, known, per_trial=train_args is not None):
        return None
    return spec.epochs - length + 1


def _augments(spec: StudySpec, known: Mapping[str, Any], *, per_trial: bool) -> bool:
    """Whether anything is switched off when mosaic closes."""
    defaults = arguments.defaults()
    sampled = () if per_trial else spec.space.names
    return any(name in sampled or known.get(name, defaults[name]) for name in arguments.CLOSED_WITH_MOSAIC)


def _rungs(
    pruner: Method, options: Mapping[str, Any], first: int, epochs: int, silent: frozenset[int]
) -> tuple[int, ...]:
    if pruner.name in _HALVING:
        # Optuna's halving asks "step >= rung": a rung that falls on a silent epoch is decided at the next one.
        factor = options["reduction_factor"]
        rungs = {_next_open(rung, silent) for rung in _powers(options["min_resource"], factor, epochs) if rung >= first}
        return tuple(sorted(rung for rung in rungs if rung < epochs))
    if pruner.name == "patient" and options["wrapped"] is not None:
        inner: Method = options["wrapped"]
        return _rungs(inner, dict(inner.options), first, epochs, silent)
    # The others decide at an exact step of their interval; one that falls on a silent epoch is left out.
    start, interval = options.get("n_warmup_steps", first), options.get("interval_steps", 1)
    at = (epoch for epoch in range(first, epochs) if (epoch - start) % interval == 0)
    return tuple(epoch for epoch in at if epoch not in silent)


def _powers(lowest: int, factor: int, epochs: int) -> list[int]:
    found = [lowest]
    while found[-1] * factor < epochs:
        found.append(found[-1] * factor)
    return found


def _next_open(epoch: int, silent: frozenset[int]) -> int:
    while epoch in silent:
        epoch += 1
    return epoch
