"""What was chosen at a bound of its range: the best value may lie outside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hpo.studyfile.arguments.values import BadValue, coerce
from hpo.studyfile.planning.sweep import conf_bounds, sweep_plan
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Domain
from hpo.trial.operating_point import FLOOR, OperatingPoint

NEAR = 0.01
"""Distance from a bound, as a share of the range on its own scale, that counts as being at the bound."""


def chosen_at_bounds(spec: StudySpec, params: Mapping[str, Any], swept: OperatingPoint | None) -> tuple[str, ...]:
    """Return a line for each value that was chosen at a bound which the study could have set wider.

    Args:
        spec: The study.
        params: Sampled values by name; names outside the space are passed over.
        swept: The best setting that a sweep found; None where the study has none.

    Returns:
        Lines with the name, the value, the range and what to widen; empty where nothing lies at a bound.
    """
    sampled = (
        line
        for dimension in spec.space.dimensions
        if dimension.name in spec.searched.names
        and (line := _sampled(dimension.name, dimension.domain, params.get(dimension.name)))
    )
    return (*sampled, *(() if swept is None else _swept(spec, swept)))


def _sampled(name: str, domain: Domain, value: Any) -> str:
    if isinstance(domain, Choices) or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    low, high = domain.low, domain.high
    if low == high or not low <= value <= high:
        return ""
    at, span = (math.log(value / low), math.log(high / low)) if domain.log else (value - low, high - low)
    grid = domain.step is not None and not domain.log
    if (value == low) if grid else (at <= NEAR * span):
        return _line(name, value, "lower", low, (low, high)) if _can_pass(name, low, -1) else ""
    if (value == high) if grid else (at >= (1 - NEAR) * span):
        return _line(name, value, "upper", high, (low, high)) if _can_pass(name, high, 1) else ""
    return ""


def _can_pass(name: str, bound: float, direction: int) -> bool:
    """Return whether Ultralytics takes a value of the argument beyond the bound."""
    beyond = bound + direction * (1 if isinstance(bound, int) else max(abs(bound), 0.01) * 0.01)
    try:
        coerce(name, beyond)
    except BadValue:
        return False
    return direction > 0 or bound != 0  # at zero an effect is off: nothing below it is meant


def _swept(spec: StudySpec, point: OperatingPoint) -> Iterator[str]:
    bounds = conf_bounds(spec)
    if bounds is not None and bounds[0] < bounds[1] and point.per_class_conf is None:
        for end, bound, can_pass in (("lower", bounds[0], bounds[0] > FLOOR), ("upper", bounds[1], bounds[1] < 1)):
            if can_pass and abs(point.conf - bound) <= NEAR * (bounds[1] - bounds[0]):
                yield _line("conf", point.conf, end, bound, bounds)
    ious = sweep_plan(spec).ious
    named = spec.space.get("iou") is not None  # by itself a sweep tries all that make sense
    if named and point.iou is not None and len(ious) > 1 and point.iou in (ious[0], ious[-1]):
        end = "lower" if point.iou == ious[0] else "upper"
        yield _line("iou", point.iou, end, point.iou, (ious[0], ious[-1]))


def _line(name: str, value: float, end: str, bound: float, bounds: tuple[float, float]) -> str:
    low, high = bounds
    return (
        f"{name} {value:.4g} lies at the {end} bound of its range [{low:g}, {high:g}], and the best may lie outside: "
        f"widen `space.{name}` beyond {bound:g}"
    )
