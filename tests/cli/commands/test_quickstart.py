"""The shipped first study of a newcomer: from the search to a verdict and a promoted folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Shell
from tests.conftest import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def ran(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("newcomer"))
    shell.run("run", ROOT / "studies" / "quickstart.yaml", f"data={scenes}")
    return shell


@pytest.fixture(scope="module")
def verdict(ran: Shell) -> dict[str, Any]:
    """Run six trainings. The defaults are far behind, but three seeds of a short training prove it only on most
    days.
    """
    told: dict[str, Any] = ran.json("confirm", "quickstart", "--top", "1", "--seeds", "3")
    return told


def test_the_quick_start_learns_prunes_and_finds_trials_that_differ(ran: Shell) -> None:
    trials = ran.json("trials", "quickstart")
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
            assert 0.001 <= point["conf"] <= 1.0
            assert 0.1 <= point["iou"] <= 0.9
    assert any(trial["sweep"] for trial in trials)


def test_the_best_trials_run_shows_its_curves_its_confusion_matrix_and_what_it_predicts(ran: Shell) -> None:
    drawn = {"results.png", "confusion_matrix.png", "val_batch0_pred.jpg"}
    best, pictures = 0.0, {}
    for trial in ran.json("trials", "quickstart"):
        found = {path.name for path in ran.home.glob(f"mlartifacts/*/{trial['mlflow_run_id']}/artifacts/plots/*")}
        pictures[trial["number"]] = drawn <= found
        assert pictures[trial["number"]] == ((trial["value"] or 0.0) > best), trial["number"]  # the best so far
        best = max(best, trial["value"] or 0.0)
    assert set(pictures.values()) == {True, False}


def test_its_verdict_is_what_its_interval_says(ran: Shell, verdict: dict[str, Any]) -> None:
    best = max(ran.json("trials", "quickstart"), key=lambda trial: trial["value"] or 0.0)
    assert verdict["winner"] == best["number"]
    assert (verdict["seeds"], verdict["split"], verdict["look"]) == (3, "test", 1)
    assert verdict["low"] < verdict["difference"] < verdict["high"]
    assert verdict["difference"] > 0.05  # over the recipe of its baseline
    assert verdict["claim"] == ("beats" if verdict["low"] > 0 else "no difference")


def test_what_is_handed_over_is_what_the_verdict_names(ran: Shell, verdict: dict[str, Any]) -> None:
    told = ran.json("promote", "quickstart", "--output", "final")
    beats = verdict["claim"] == "beats"
    assert told["trial"] == (verdict["winner"] if beats else 0)
    trained = yaml.safe_load((ran.folder / "final" / "hyperparameters.yaml").read_text())
    params = ran.json("trial", "quickstart", str(verdict["winner"]))["params"]
    assert ({name: trained.get(name) for name in params} == pytest.approx(params)) is beats
    assert verdict["sentence"] in (ran.folder / "final" / "model-card.md").read_text()
    assert told["metrics"]["val"]["f1"] > 0.3
    assert told["registered"]["alias"] == "champion"
