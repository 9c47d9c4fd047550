"""``warm_start`` in a study file."""

from __future__ import annotations

import pytest

from hpo.studyfile import serialize
from tests.studyfile.conftest import Studio


def test_it_names_earlier_studies_each_once_and_is_kept(studio: Studio) -> None:
    assert studio.load().warm_start == ()
    spec = studio.load("warm_start=[cells-2025, other, other]")
    assert spec.warm_start == ("cells-2025", "other")
    assert serialize.from_json(serialize.to_json(spec)) == spec
    assert "warm_start" not in serialize.to_json(studio.load())  # studies that an older version stored stay the same
    assert serialize.differences(studio.load(), spec) == ["warm_start: stored nothing, asked ['cells-2025', 'other']"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("warm_start=cells",), "a list of earlier studies"),
        (("warm_start=[Cells 1]",), "cells-1"),
        (("warm_start=[cells.confirm]",), "confirmation stages"),
        (("name=mine", "warm_start=[mine]"), "this study itself"),
        (("warm_start=[cells]", "search.sampler=grid", "space={mosaic: {choices: [0, 1]}}"), "another sampler"),
    ],
)
def test_what_can_start_nothing_is_refused(studio: Studio, overrides: tuple[str, ...], said: str) -> None:
    assert said in studio.problem(*overrides).message
