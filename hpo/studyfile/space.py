"""The search space: the dimensions that may be sampled, and their conditions."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class FloatRange:
    """Real numbers in [low, high], both included; on a log scale, or on the grid low, low+step, ..."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class IntRange:
    """Whole numbers in [low, high], both included."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    @property
    def values(self) -> range:
        return range(self.low, self.high + 1, self.step)


@dataclass(frozen=True)
class Choices:
    """One of the listed values, in the order of the file."""

    values: tuple[Scalar, ...]


Domain = FloatRange | IntRange | Choices
FOLLOWING = "optimizer"
"""What a range may follow, as a study file writes it (``follows: optimizer``)."""


@dataclass(frozen=True)
class Condition:
    """The dimension is sampled only where ``parent`` has one of ``values``."""

    parent: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Dimension:
    name: str
    domain: Domain
    when: tuple[Condition, ...] = ()
    """Conditions that must all hold."""
    follows_optimizer: bool = False
    """Whether the range is to fit an optimizer that the data decides; ``planning.optimizer`` then replaces the domain.
    """


@dataclass(frozen=True)
class Space:
    """Dimensions in sampling order (a parent before its children) and fixed values; names are unique over both."""

    dimensions: tuple[Dimension, ...] = ()
    fixed: tuple[tuple[str, Scalar], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dimension.name for dimension in self.dimensions)

    def without(self, names: Container[str]) -> Space:
        """Return the space without ``names``; no condition may name one of them."""
        return Space(
            tuple(dimension for dimension in self.dimensions if dimension.name not in names),
            tuple((name, value) for name, value in self.fixed if name not in names),
        )

    def get(self, name: str) -> Dimension | None:
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)


def contains(domain: Domain, value: Scalar) -> bool:
    """Return whether ``value`` lies in ``domain``, bounds included; a step's grid holds to 1e-9 of the range."""
    match domain:
        case Choices(values):
            return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in values)
        case IntRange(low, high, _, step):
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and low <= value <= high and (value - low) % step == 0  # type: ignore[operator]
        case FloatRange(low, high, _, step):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                return False
            if step is None:
                return True
            ticks = (value - low) / step
            return abs(ticks - round(ticks)) <= 1e-9 * max(1.0, (high - low) / step)


def is_active(dimension: Dimension, params: Mapping[str, Scalar]) -> bool:
    """Return whether ``dimension`` is sampled, given the values of the dimensions (and fixed values) before it."""
    return all(
        condition.parent in params and params[condition.parent] in condition.values for condition in dimension.when
    )
