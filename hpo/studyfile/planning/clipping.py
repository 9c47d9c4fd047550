"""Settings from another study as a proposal: the nearest point of a space."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.studyfile.space import Choices, Domain, FloatRange, IntRange, Space, contains, is_active
from hpo.trial.vocabulary import Scalar


def clipped(space: Space, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return ``values`` for the space's active dimensions, each at the nearest value of its domain.

    A value is left out where it is missing in ``values``, is no number although the domain is a range, or is none of
    the choices. The sampler then chooses it, and the dimensions that depend on it.
    """
    proposal: dict[str, Scalar] = {}
    for dimension in space.dimensions:
        if dimension.name in values and is_active(dimension, {**dict(space.fixed), **proposal}):
            for value in _nearest(dimension.domain, values[dimension.name]):
                proposal[dimension.name] = value
    return proposal


def _nearest(domain: Domain, value: Scalar) -> tuple[Scalar, ...]:
    """Return the nearest value as a tuple of one, or an empty tuple."""
    if isinstance(domain, Choices):
        return (value,) if contains(domain, value) else ()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ()
    inside = min(max(value, domain.low), domain.high)
    match domain:
        case FloatRange(_, _, _, None):
            return (float(inside),)
        case FloatRange(low, high, _, float(step)):
            ticks = min(round((inside - low) / step), int((high - low) / step + 1e-9))
            return (min(low + step * ticks, high),)  # rounding may go past it by a digit
        case IntRange(low, high, _, step):
            return (low + step * min(round((inside - low) / step), (high - low) // step),)
        case other:
            raise TypeError(f"{other} is no range")
