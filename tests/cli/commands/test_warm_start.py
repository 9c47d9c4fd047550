"""A study that starts from an earlier study's results, as a user runs both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Done, Shell


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_second_study_begins_with_what_the_first_found(shell: Shell, study: Callable[..., Path], done: Done) -> None:
    second = study("second", "warm_start: [small]\n")
    refused = shell.run("run", second, code=2)
    assert "warm_start: " in refused
    assert "no study" in refused
    shell = done.shell
    best = shell.json("best", "small")
    said = shell.run("run", second, "budget.trials=1", "baseline=false")
    assert "warm start from small: 4 finished trials taken as history" in said  # the baseline lies in the space
    (trial,) = shell.json("trials", "second")
    assert trial["params"] == best["params"]
    assert trial["value"] == best["value"]  # the same training
