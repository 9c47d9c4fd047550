"""The importance finds the dimensions that determine the value, and is cautious with little data."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from hpo.study.plots.importance import LEAST_TRIALS, importances
from hpo.study.records import TrialRow
from hpo.studyfile.space import Dimension, FloatRange, Space
from hpo.trial.vocabulary import TrialState
from tests.study.support import study_spec
from tests.tracking.support import make_trial

SPACE = Space(tuple(Dimension(name, FloatRange(0.0, 1.0)) for name in ("lr0", "mosaic", "scale")))
SPEC = study_spec(trials=100)


def rows(count: int, seed: int = 0) -> list[TrialRow]:
    """The value is lr0 with a little noise; mosaic and scale have no effect."""
    source = random.Random(seed)
    made = []
    for number in range(count):
        params: dict[str, Any] = {dimension.name: source.random() for dimension in SPACE.dimensions}
        value = params["lr0"] + 0.02 * source.random()
        made.append(dataclasses.replace(make_trial(number), params=params, value=value, state=TrialState.COMPLETE))
    return made


def spec_of_three() -> Any:
    return dataclasses.replace(SPEC, space=SPACE)


def test_the_dimension_that_matters_comes_first_and_its_interval_is_above_the_others() -> None:
    first, *rest = importances(spec_of_three(), rows(60))
    assert first.name == "lr0"
    assert first.value > 0.6
    assert all(first.low > other.high for other in rest)
    assert all(0 <= each.low <= each.value <= each.high <= 1 for each in (first, *rest))


@pytest.mark.long
def test_fewer_trials_have_wider_intervals_and_too_few_have_none() -> None:
    few, many = (importances(spec_of_three(), rows(count))[0] for count in (12, 120))
    assert few.high - few.low > many.high - many.low
    assert importances(spec_of_three(), rows(LEAST_TRIALS - 1)) == ()


@pytest.mark.long
def test_a_baseline_outside_the_space_and_pruned_trials_are_left_out() -> None:
    made = rows(30)
    outside = dataclasses.replace(made[0], baseline=True, params={"lr0": 9.0, "mosaic": 1.0, "scale": 1.0}, value=100.0)
    pruned = dataclasses.replace(made[1], state=TrialState.PRUNED, value=None)
    assert importances(spec_of_three(), [outside, pruned, *made[2:]]) == importances(spec_of_three(), made[2:])
