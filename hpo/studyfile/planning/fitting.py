"""The learning rates that fit an optimizer: the range of ``lr0: {follows: optimizer}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.space import Choices, Dimension, FloatRange, Space

AUTO = "auto"
"""Ultralytics' word for an optimizer that it chooses itself."""


def fitted(space: Space, train: Mapping[str, Any]) -> Space:
    """Return the space with the range of the optimizer, or of the optimizers, that the study names.

    A range that follows an optimizer which only the data decides stays as it is.
    """
    names = _optimizers(space, train)
    if AUTO in names:
        return space
    rows = [arguments.OPTIMIZERS[name].lr0 for name in names]
    return with_range(space, min(low for low, _ in rows), max(high for _, high in rows))


def with_range(space: Space, low: float, high: float) -> Space:
    """Return the space with these bounds where a range follows the optimizer."""

    def bounded(dimension: Dimension) -> Dimension:
        if not dimension.follows_optimizer:
            return dimension
        return replace(dimension, domain=FloatRange(low, high, log=True), follows_optimizer=False)

    return replace(space, dimensions=tuple(bounded(each) for each in space.dimensions))


def _optimizers(space: Space, train: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the optimizers that trials may have; ``auto`` where none is named."""
    dimension = space.get("optimizer")
    if dimension is not None and isinstance(dimension.domain, Choices):
        return dimension.domain.values
    return (dict(space.fixed).get("optimizer", train.get("optimizer", AUTO)),)
