from __future__ import annotations

from typing import Any

import pytest

from hpo.studyfile.planning import grid
from hpo.studyfile.space import Choices, Condition, Dimension, FloatRange, IntRange, Space
from tests.study.support import study_spec

SPACE = Space(
    (Dimension("lr0", FloatRange(0.1, 0.3, step=0.1)), Dimension("batch", IntRange(4, 16, step=8))),
)
SIX = [{"lr0": lr0, "batch": batch} for lr0 in (0.1, 0.2, 0.3) for batch in (4, 12)]


def _sorted(points: list[Any]) -> list[Any]:
    return sorted(points, key=lambda point: list(point.values()))


def test_every_combination_is_a_point_with_values_as_they_are_written() -> None:
    assert _sorted(grid.points(study_spec(sampler="grid", space=SPACE))) == SIX


def test_the_seed_settles_the_order() -> None:
    orders = [grid.points(study_spec(sampler="grid", space=SPACE, seed=seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_a_conditional_dimension_multiplies_only_the_points_that_have_it() -> None:
    space = Space(
        (
            Dimension("optimizer", Choices(("SGD", "AdamW"))),
            Dimension("momentum", Choices((0.8, 0.9)), (Condition("optimizer", ("SGD",)),)),
        )
    )
    assert _sorted(grid.points(study_spec(sampler="grid", space=space))) == [
        {"optimizer": "AdamW"},
        {"optimizer": "SGD", "momentum": 0.8},
        {"optimizer": "SGD", "momentum": 0.9},
    ]


def test_a_range_without_a_step_has_no_grid() -> None:
    space = Space((Dimension("lr0", FloatRange(0.1, 0.3)),))
    with pytest.raises(ValueError, match=r"space\.lr0"):
        grid.points(study_spec(sampler="grid", space=space))
