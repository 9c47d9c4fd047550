"""The first study of a newcomer, as it is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.conftest import ROOT


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_quick_start_learns_prunes_and_finds_trials_that_differ(shell: Shell, scenes: Path) -> None:
    shell.run("run", ROOT / "studies" / "quickstart.yaml", f"data={scenes}")
    trials = shell.json("trials", "quickstart")
    assert len(trials) >= 8
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    assert {trial["state"] for trial in trials} == {"COMPLETE", "PRUNED"}
    assert max(trial["metrics"]["map50"] for trial in complete) >= 0.5
    values = [trial["value"] for trial in complete]
    assert max(values) - min(values) > 0.05
    assert all(trial["operating_point"]["conf"] == trial["params"]["conf"] for trial in trials)
