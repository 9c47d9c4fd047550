"""The values that an argument can take over all trials of a study, fixed or sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, FloatRange
from hpo.trial.classes import trained
from hpo.trial.vocabulary import Scalar


def fixed(spec: StudySpec) -> dict[str, Any]:
    return {**spec.train_args, **dict(spec.space.fixed)}


def place(spec: StudySpec, name: str) -> str:
    """Return the key path of an argument, wherever it is given."""
    return f"train.{name}" if name in spec.train_args else f"space.{name}"


def possible(spec: StudySpec, name: str) -> Sequence[Scalar] | None:
    """Return the values that an argument can have; None where it has a range of real numbers."""
    dimension = spec.space.get(name)
    if dimension is None:
        return (fixed(spec).get(name, arguments.defaults()[name]),)
    return None if isinstance(dimension.domain, FloatRange) else dimension.domain.values


def trained_classes(spec: StudySpec) -> frozenset[int] | None:
    """Return the indices that ``classes`` fixes; None where every class is trained."""
    return trained(fixed(spec).get("classes"))


def extremes(spec: StudySpec, name: str) -> tuple[float, float]:
    """Return the smallest and the largest value that a numeric argument can have."""
    dimension = spec.space.get(name)
    if dimension is not None and not isinstance(dimension.domain, Choices):
        return dimension.domain.low, dimension.domain.high
    values = [value for value in possible(spec, name) or () if isinstance(value, (int, float))]
    return min(values), max(values)
