"""The first study of a newcomer, as it is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.conftest import ROOT


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_quick_start_learns_prunes_and_finds_trials_that_differ(shell: Shell, scenes: Path) -> None:
    shell.run("run", ROOT / "studies" / "quickstart.yaml", f"data={scenes}")
    trials = shell.json("trials", "quickstart")
    assert len(trials) >= 8
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    assert {trial["state"] for trial in trials} == {"COMPLETE", "PRUNED"}
    assert max(trial["metrics"]["map50"] for trial in complete) >= 0.5
    values = [trial["value"] for trial in complete]
    assert max(values) - min(values) > 0.05
    assert not any({"iou", "conf"} & set(trial["params"]) for trial in trials)
    for trial in trials:
        point = trial["operating_point"]
        assert (point is None) == (trial["state"] == "PRUNED")
        if trial["sweep"] is not None:
            assert 0.1 <= point["conf"] <= 0.5
            assert 0.4 <= point["iou"] <= 0.7
    assert any(trial["sweep"] for trial in trials)
