"""Every number of a study file has an upper bound, and no file takes long because of how much it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hpo.studyfile.keys import Block, Real, Whole, keys_of
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import OptionValue
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.schema import StudySpec
from tests.studyfile.conftest import MINIMAL, Studio


def _numbers(cls: type[Any], above: str = "") -> Iterator[str]:
    for each in keys_of(cls):
        if isinstance(each.shape, Block):
            yield from _numbers(each.shape.cls, f"{above}{each.name}.")
        elif isinstance(each.shape, Whole | Real):
            yield f"{above}{each.name}"


OPTIONS = [
    f"search.{kind}={{name: {name}, {option}: 1e308}}"
    for kind, table in (("sampler", SAMPLERS), ("pruner", PRUNERS))
    for name, row in table.items()
    for option, each in row.options.items()
    if each.value in (OptionValue.WHOLE, OptionValue.REAL)
]


@pytest.mark.parametrize("key", [*_numbers(StudySpec), "train.epochs", "train.imgsz", "train.lr0", "space.box"])
@pytest.mark.parametrize("value", ["1e308", "1" + "0" * 400])
def test_a_number_beyond_any_use_is_refused(studio: Studio, key: str, value: str) -> None:
    override = f"{key}={{low: 1, high: {value}}}" if key.startswith("space.") else f"{key}={value}"
    assert {problem.path.split(".")[1] for problem in studio.problems(override)} <= {key.split(".")[1], "high"}


@pytest.mark.parametrize("override", OPTIONS)
def test_an_option_beyond_any_use_is_refused(studio: Studio, override: str) -> None:
    assert any("must" in problem.message for problem in studio.problems(override))


def test_thousands_of_wrong_choices_are_one_problem(studio: Studio) -> None:
    wrong = ", ".join(f"x{number}" for number in range(15_000))
    assert "15000 values" in studio.problem(f"space.optimizer={{choices: [{wrong}]}}").message


def test_a_grid_of_more_points_than_can_be_listed_is_refused(studio: Studio) -> None:
    space = "space={box: {low: 1, high: 20, step: 0.001}, cls: {low: 0.1, high: 4, step: 0.001}}"
    assert "points" in studio.problem("search.sampler=grid", space, text=MINIMAL).message
