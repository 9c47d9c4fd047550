"""The objective of a study, as a value with one text form: ``f1``, ``f1 micro``, ``recall at precision >= 0.9``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override

from hpo.trial.vocabulary import Metric


class Average(StrEnum):
    MACRO = "macro"
    """The mean over the classes that have ground truth."""
    MICRO = "micro"
    """The counts, pooled over classes."""


class Quantity(StrEnum):
    """The quantity that a constraint bounds; all but the last are bounded from below."""

    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    FP_PER_IMAGE = "fp_per_image"


@dataclass(frozen=True)
class Constraint:
    """A condition on the operating point, at IoU 0.5."""

    quantity: Quantity
    bound: float
    """Lower bound (upper bound for ``fp_per_image``); in [0, 1], for ``fp_per_image`` in [0, inf)."""
    cls: str | None = None
    """Name of a class; None for the average over classes (``fp_per_image``: all classes together)."""

    @override
    def __str__(self) -> str:
        of = "" if self.cls is None else f"[{self.cls}]"
        return f"{self.quantity}{of} {'<=' if self.upper else '>='} {_text(self.bound)}"

    @property
    def upper(self) -> bool:
        """Return whether the bound is an upper one."""
        return self.quantity is Quantity.FP_PER_IMAGE


@dataclass(frozen=True)
class Objective:
    """What a study maximizes; every value lies in [0, 1]. The value is 0 where no setting meets the constraints."""

    metric: Metric = Metric.MAP50_95
    average: Average = Average.MACRO
    """How precision, recall and F are averaged; AP is always the mean over classes."""
    beta: float = 1.0
    """The beta of F-beta, with metric ``f1``: recall weighs beta times as much as precision."""
    constraints: tuple[Constraint, ...] = ()

    @property
    def is_ap(self) -> bool:
        """Return whether the metric chooses only the suppression; the best macro F1 then chooses the confidence."""
        return self.metric.row.is_ap

    @property
    def is_plain(self) -> bool:
        """Return whether the validation of a single training shows it, without a sweep."""
        return self in (Objective(metric) for metric in PLAIN_METRICS)

    @override
    def __str__(self) -> str:
        name = f"f{_text(self.beta)}" if self.metric is Metric.F1 else self.metric.value
        words = [name, *(["micro"] if self.average is Average.MICRO else [])]
        if self.constraints:
            words += ["at", " and ".join(str(constraint) for constraint in self.constraints)]
        return " ".join(words)


def _text(number: float) -> str:
    """Format a number with every digit, so that ``parse`` gives it back: ``0.9``, ``2``."""
    return repr(float(number)).removesuffix(".0")


PLAIN_METRICS = tuple(metric for metric in Metric if metric.row.is_plain)

GRAMMAR = (
    "METRIC [micro] [at CONDITION [and CONDITION]...], where METRIC is f1, f2, f0.5 (any F-beta), precision, recall, "
    "map50, map50_95, map_small, map_medium or map_large, and a CONDITION is `precision >= 0.9`, `recall >= 0.8`, "
    "`f1 >= 0.5`, any of these for a class as in `recall[Platelets] >= 0.6`, or `fp_per_image <= 0.5`"
)

_F = re.compile(r"f(\d+(?:\.\d+)?)")
_AND = re.compile(r" and (?![^\[]*\])")
"""Separator between conditions; the name of a class may contain one."""
_CONDITION = re.compile(r"([a-z0-9_]+)(?:\[([^\]]+)\])?\s*(>=|<=)\s*([0-9.eE+-]+)")


def parse(text: str) -> Objective:
    """Return the objective that ``text`` spells. Raises ValueError with the mistake and the right form."""
    head, _, tail = text.strip().partition(" at ")
    name, *rest = head.split()
    if rest not in ([], ["micro"], ["macro"]):
        raise ValueError(f"{text!r} is no objective: write {GRAMMAR}")
    metric, beta = _metric(name, text)
    average = Average(rest[0]) if rest else Average.MACRO
    constraints = tuple(_constraint(part.strip(), text) for part in _AND.split(tail)) if tail else ()
    objective = Objective(metric, average, beta, constraints)
    _check(objective)
    return objective


def _metric(name: str, text: str) -> tuple[Metric, float]:
    beta = _F.fullmatch(name)
    if beta is not None:
        if not 0.01 <= float(beta[1]) <= 100:
            raise ValueError(f"{name}: the beta of an F score lies in 0.01 to 100")
        return Metric.F1, float(beta[1])
    if name not in list(Metric):
        raise ValueError(f"{text!r}: {name} is no metric; write {GRAMMAR}")
    return Metric(name), 1.0


def _constraint(part: str, text: str) -> Constraint:
    found = _CONDITION.fullmatch(part)
    if found is None or found[1] not in list(Quantity):
        raise ValueError(f"{text!r}: {part!r} is no condition; write {GRAMMAR}")
    quantity, cls, sign, bound = Quantity(found[1]), found[2], found[3], _number(found[4], part)
    constraint = Constraint(quantity, bound, cls)
    if (sign == "<=") != constraint.upper:
        raise ValueError(f"{part!r}: {quantity} is bounded from {'above' if constraint.upper else 'below'}")
    if bound < 0 or (not constraint.upper and bound > 1):
        raise ValueError(f"{part!r}: the bound of {quantity} lies in 0 to {'any number' if constraint.upper else '1'}")
    if constraint.upper and cls is not None:
        raise ValueError(f"{part!r}: false positives are counted over all classes; drop [{cls}]")
    return constraint


def _number(text: str, part: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise ValueError(f"{part!r}: {text} is no number") from None
    if not math.isfinite(found):
        raise ValueError(f"{part!r}: {text} is no finite number")
    return found


def _check(objective: Objective) -> None:
    if objective.is_ap and objective.average is Average.MICRO:
        raise ValueError(f"{objective.metric} is a mean over classes; micro goes with f1, precision and recall")
    if objective.metric.row.held_back_by and not objective.constraints:
        return  # without a sweep it is read at the confidence of the best F1; the study's rules refuse other metrics
    same = [c for c in objective.constraints if c.quantity.value == objective.metric.value and c.cls is None]
    if same and objective.beta == 1.0:
        raise ValueError(f"{objective}: {same[0]} bounds what is maximized; bound another quantity")
