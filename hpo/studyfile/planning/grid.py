"""The grid of a space: every combination once, in an order that the seed shuffles.

It is our own and not Optuna's ``GridSampler``. That one keys points by trial number (a baseline, an enqueued trial or a
retry costs a point), has no conditions, and calls ``Study.stop``, which raises outside ``study.optimize`` (Optuna
5.0.0).
"""

from __future__ import annotations

import math
import random
from decimal import Decimal

from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Dimension, Domain, FloatRange, IntRange, Space, is_active
from hpo.trial.vocabulary import Scalar

Point = dict[str, Scalar]
MOST = 100_000
"""Points of the largest grid: all are listed whenever one is chosen."""


def points(spec: StudySpec) -> list[Point]:
    """Return every point of the grid that ``enqueue`` does not name, shuffled by ``search.seed``."""
    enqueued = [dict(given) for given in spec.search.enqueue]
    found = [point for point in _combinations(spec.searched) if point not in enqueued]
    random.Random(spec.search.seed).shuffle(found)  # noqa: S311 (no secret)
    return found


def given_first(spec: StudySpec) -> int:
    """Return the number of ordinals before the grid's: the baseline and ``enqueue``."""
    return int(spec.baseline) + len(spec.search.enqueue)


def limit(spec: StudySpec) -> int | None:
    """Return the number of ordinals in a study on a grid; None where the sampler never runs out."""
    return given_first(spec) + len(points(spec)) if SAMPLERS[spec.search.sampler.name].enumerates else None


def _combinations(space: Space) -> list[Point]:
    """Combine only the active dimensions: a point has no value of a dimension with a condition that fails."""
    found: list[Point] = [{}]
    for dimension in space.dimensions:
        found = [longer for point in found for longer in _extended(point, dimension, dict(space.fixed))]
    return found


def _extended(point: Point, dimension: Dimension, fixed: Point) -> list[Point]:
    if not is_active(dimension, {**fixed, **point}):
        return [point]
    return [{**point, dimension.name: value} for value in _values(dimension.name, dimension.domain)]


def size(space: Space) -> int:
    """Return the number of points of a grid as if no dimension had a condition: at least as many as there are."""
    return math.prod(_count(dimension.domain) for dimension in space.dimensions)


def _count(domain: Domain) -> int:
    match domain:
        case Choices(values):
            return len(values)
        case IntRange(low, high, _, step):
            return (high - low) // step + 1
        case FloatRange(low, high, _, step):
            return 1 if step is None else int((high - low) / step) + 1


def _values(name: str, domain: Domain) -> list[Scalar]:
    match domain:
        case Choices() | IntRange():
            return list(domain.values)
        case FloatRange(_, _, _, None):
            raise ValueError(f"space.{name}: a grid needs choices or a step")
        case FloatRange(low, high, _, step):
            first, last, width = (Decimal(repr(value)) for value in (low, high, step))
            return [float(first + tick * width) for tick in range(int((last - first) / width) + 1)]
