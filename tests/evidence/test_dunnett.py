"""Dunnett's intervals equal scipy's, are reproducible, and are defined for values without variation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.evidence import dunnett

VALUES = st.lists(st.floats(0, 1, allow_nan=False), min_size=2, max_size=5)


def groups(sizes: tuple[int, ...], seed: int = 0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0.5, 0.02, size).tolist() for size in sizes]


@pytest.mark.parametrize("sizes", [(3,), (3, 3, 3), (5, 5, 5), (2, 2, 2, 2, 2), (3, 2, 4)])
def test_the_critical_value_is_that_of_scipys_own_intervals(sizes: tuple[int, ...]) -> None:
    drawn = groups((*sizes, 3))
    sd, reach = dunnett.pooled_sd(drawn), dunnett.critical(sizes, 3)
    for size, found in zip(sizes, dunnett.compare(drawn[:-1], drawn[-1]), strict=True):
        own = (found.high - found.low) / 2 / (sd * math.sqrt(1 / size + 1 / 3))
        assert own == pytest.approx(reach, rel=3e-3)  # scipy's root finder stops at 1e-3


def test_published_critical_values() -> None:
    """Critical values: two-sided, 5%, equal groups (Dunnett 1964, Biometrics 20:482, table II), by candidates and group
    size.
    """
    for (candidates, seeds), value in {(1, 3): 2.78, (2, 3): 2.86, (3, 3): 2.88, (3, 5): 2.59}.items():
        assert dunnett.critical((seeds,) * candidates, seeds) == pytest.approx(value, abs=0.006)


def test_the_same_numbers_give_the_same_intervals() -> None:
    drawn = groups((3, 3, 3))
    assert dunnett.compare(drawn[:-1], drawn[-1]) == dunnett.compare(drawn[:-1], drawn[-1])


@settings(max_examples=10, deadline=None)
@given(candidates=st.lists(VALUES, min_size=1, max_size=3), control=VALUES)
def test_an_interval_holds_its_difference_and_is_symmetric(candidates: list[list[float]], control: list[float]) -> None:
    for values, found in zip(candidates, dunnett.compare(candidates, control), strict=True):
        assert found.value == pytest.approx(np.mean(values) - np.mean(control), abs=1e-12)
        assert found.low <= found.value <= found.high
        assert found.high - found.value == pytest.approx(found.value - found.low, abs=1e-9)


def test_where_nothing_varies_an_interval_is_its_value() -> None:
    (same, other) = dunnett.compare([[0.25] * 3, [0.5] * 3], [0.25] * 3)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    assert (other.low, other.value, other.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(("candidates", "control"), [([[0.1]], [0.1, 0.2]), ([[0.1, 0.2]], [0.1]), ([], [0.1, 0.2])])
def test_too_few_values_are_refused(candidates: list[list[float]], control: list[float]) -> None:
    with pytest.raises(ValueError, match="two values a group"):
        dunnett.compare(candidates, control)
