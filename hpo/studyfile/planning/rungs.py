"""The epochs at which a trial may be stopped: pruners adapted to how a detector learns.

A decision at epoch e uses the report after epoch e, counted from 1, which is Optuna's step. Early scores say nothing
during warm-up, and they jump where mosaic closes. After the last epoch there is nothing to save.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import Every, Follows, Halving, Never, PatientSchedule
from hpo.studyfile.planning.extent import extremes, fixed
from hpo.studyfile.planning.plan import tied_close_mosaic
from hpo.studyfile.schema import Method, StudySpec

_EARLIEST = 4
"""Number of the first epoch with a useful fitness: it is about 0 for the first two or three, whatever the setting."""
_SHARE = 0.3


@dataclass(frozen=True)
class PruningPlan:
    """The epochs at which a trial may be stopped."""

    first: int | None
    """First epoch with a decision; None where the training is too short, or nothing is to be stopped."""
    silent: frozenset[int]
    """Epochs without a decision: mosaic closes in it or just did, or it is the last."""
    rungs: tuple[int, ...]
    """Epochs at which decisions can fall, ascending."""


def plan(spec: StudySpec, train_args: Mapping[str, Any] | None = None) -> PruningPlan:
    """Return the plan of a trial with ``train_args``; without them, the plan that holds for every trial of the study.

    The two differ where ``close_mosaic``, or an augmentation that it closes, is sampled: then only a trial's own plan
    knows the epochs around it.
    """
    options = pruner_options(spec)
    silent = _silent(spec, train_args)
    first = _first_option(spec.search.pruner, options)
    if first is None:
        return PruningPlan(None, silent, ())
    rungs = _rungs(spec.search.pruner, options, range(first, spec.epochs), silent)
    return PruningPlan(first if rungs else None, silent, rungs)


def pruner_options(spec: StudySpec) -> dict[str, Any]:
    """Return the complete arguments of Optuna's class: given options, and defaults that suit a detector.

    For ``patient`` the wrapped pruner is under ``wrapped``, a ``Method`` with complete options or None. The options are
    valid even if the pruner's first decision would lie after the training (``plan`` says so).
    """
    return _options(spec, spec.search.pruner)


def _options(spec: StudySpec, pruner: Method) -> dict[str, Any]:
    row, first, given = PRUNERS[pruner.name], _first(spec), dict(pruner.options)
    options = {name: _default(value, spec, first, given) for name, value in row.defaults.items()} | given
    return {name: _complete(spec, value) if isinstance(value, Method) else value for name, value in options.items()}


def _default(value: Any, spec: StudySpec, first: int, given: Mapping[str, Any]) -> Any:
    match value:
        case Follows.FIRST:
            return first
        case Follows.EPOCHS:
            return max(spec.epochs, given.get("min_resource", first))
        case _:
            return value


def _complete(spec: StudySpec, wrapped: Method) -> Method | None:
    """Return a wrapped pruner with complete options; None where it stops nothing."""
    if PRUNERS[wrapped.name].schedule == Never():
        return None
    return Method(wrapped.name, tuple(_options(spec, wrapped).items()))


def _first(spec: StudySpec) -> int:
    """Return the first epoch with a useful report, from 1."""
    _, warmup = extremes(spec, "warmup_epochs")
    after_warmup = math.floor(min(warmup, spec.epochs - 1)) + 1
    return max(_EARLIEST, after_warmup, math.ceil(_SHARE * spec.epochs - 1e-9))


def _first_option(pruner: Method, options: Mapping[str, Any]) -> int | None:
    """Return the first epoch at which Optuna would decide."""
    match PRUNERS[pruner.name].schedule:
        case Halving():
            skipped = options.get("min_early_stopping_rate", 0)
            return int(options["min_resource"] * options["reduction_factor"] ** skipped)
        case Every(start=start):
            return max(1, int(options[start]))
        case PatientSchedule():
            # It compares the last patience + 1 reports with those before, so it needs patience + 2 of them.
            own = int(options["patience"]) + 2
            wrapped: Method | None = options["wrapped"]
            inner = _EARLIEST if wrapped is None else _first_option(wrapped, dict(wrapped.options))
            return None if inner is None else max(own, inner)
        case Never():
            return None


def _silent(spec: StudySpec, train_args: Mapping[str, Any] | None) -> frozenset[int]:
    last = spec.epochs
    closing = _closing(spec, train_args)
    around = set() if closing is None else {closing, closing + 1}
    return frozenset(epoch for epoch in (*around, last) if 1 <= epoch <= last)


def _closing(spec: StudySpec, train_args: Mapping[str, Any] | None) -> int | None:
    """Return the first epoch without mosaic, from 1; None where there is none, or where it differs by trial."""
    if train_args is None and spec.space.get("close_mosaic") is not None:
        return None
    known = fixed(spec) if train_args is None else train_args
    length = int(known.get("close_mosaic", tied_close_mosaic(spec.epochs)))
    if length == 0 or length >= spec.epochs or not _augments(spec, known, per_trial=train_args is not None):
        return None
    return spec.epochs - length + 1


def _augments(spec: StudySpec, known: Mapping[str, Any], *, per_trial: bool) -> bool:
    """Return whether anything is turned off when mosaic closes."""
    defaults = arguments.defaults()
    sampled = () if per_trial else spec.space.names
    return any(name in sampled or known.get(name, defaults[name]) for name in arguments.CLOSED_WITH_MOSAIC)


def _rungs(pruner: Method, options: Mapping[str, Any], epochs: range, silent: frozenset[int]) -> tuple[int, ...]:
    match PRUNERS[pruner.name].schedule:
        case Halving():
            # Optuna's halving asks "step >= rung": a rung on a silent epoch is decided at the next one.
            powers = _powers(options["min_resource"], options["reduction_factor"], epochs.stop)
            rungs = {_next_open(rung, silent) for rung in powers if rung >= epochs.start}
            return tuple(sorted(rung for rung in rungs if rung < epochs.stop))
        case Every(start, interval):
            return _every(options[start], 1 if interval is None else options[interval], epochs, silent)
        case PatientSchedule():
            inner: Method | None = options["wrapped"]
            if inner is not None:
                return _rungs(inner, dict(inner.options), epochs, silent)
            return _every(epochs.start, 1, epochs, silent)
        case Never():
            return ()


def _every(start: int, interval: int, epochs: range, silent: frozenset[int]) -> tuple[int, ...]:
    """Return the decisions at exact steps of an interval, without those on a silent epoch."""
    return tuple(epoch for epoch in epochs if (epoch - start) % interval == 0 and epoch not in silent)


def _powers(lowest: int, factor: int, epochs: int) -> list[int]:
    found = [lowest]
    while found[-1] * factor < epochs:
        found.append(found[-1] * factor)
    return found


def _next_open(epoch: int, silent: frozenset[int]) -> int:
    while epoch in silent:
        epoch += 1
    return epoch
