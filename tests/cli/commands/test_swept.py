"""A study with swept post-processing, as a user runs it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from hpo.cli.commands.spec import validate
from tests.cli.commands.test_run import ultralytics_takes
from tests.cli.conftest import LONGEST_S, STUDY, Shell

SPACE = ("space.iou=[0.3, 0.6]", "space.conf=[0.01, 0.5]", "objective=f1")
POINT = {"iou", "conf", "max_det", "agnostic_nms", "kind", "sigma", "per_class_conf"}


@dataclass(frozen=True)
class Ran:
    """The small study after its end."""

    shell: Shell
    data: Path
    said: str
    trials: list[dict[str, Any]]


@pytest.fixture(scope="module")
def ran(tiny: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("swept")
    (folder / "small.yaml").write_text(STUDY.format(name="small", data=tiny, model=trained, more=""))
    shell = Shell(folder)
    said = shell.run("run", "small.yaml", *SPACE, "budget.trials=3", "train.imgsz=96")
    return Ran(shell, tiny, said, shell.json("trials"))


@pytest.mark.long
def test_what_is_swept_is_no_parameter_and_is_found_for_every_complete_trial(ran: Ran) -> None:
    assert [set(trial["params"]) for trial in ran.trials] == [{"lr0", "mosaic"}] * 3
    baseline, *searched = ran.trials
    assert set(baseline["operating_point"]) >= POINT
    assert (baseline["operating_point"]["iou"], baseline["operating_point"]["conf"]) == (0.7, 0.25)
    assert baseline["sweep"] is None
    for trial in searched:
        point, sweep = trial["operating_point"], trial["sweep"]
        assert set(point) >= POINT
        assert 0.3 <= point["iou"] <= 0.6
        assert 0.01 <= point["conf"] <= 0.5
        assert trial["value"] == sweep["value"]
        assert sweep["best"]["conf"] == point["conf"]
        assert sweep["gain"]["low"] <= sweep["gain"]["value"] <= sweep["gain"]["high"]


@pytest.mark.long
def test_every_command_says_what_was_found_and_what_it_gains(ran: Ran) -> None:
    for said in (ran.said, ran.shell.run("status"), ran.shell.run("trial", "1"), ran.shell.run("best")):
        assert "conf" in said
    assert "95% interval" in ran.said
    page = ran.shell.run("trial", "1")
    assert "operating point" in page
    assert f"value  f1 {ran.trials[1]['value']:.4g}, cross-validated" in page  # this is not the F1 of the metrics
    assert "95% interval" in page
    table = ran.shell.run("trials")
    assert all(column in table for column in ("iou", "conf", "gain"))
    assert ran.shell.json("trial", "1")["curve"][-1]["epoch"] == 3


@pytest.mark.long
def test_the_winner_is_handed_over_with_the_recommended_setting(ran: Ran) -> None:
    best = ran.shell.json("best", "--save", "winner")
    written = json.loads(Path(best["operating_point_file"]).read_text()) if best["sweep"] else None
    predict = yaml.safe_load(Path(best["predict"]).read_text())
    if written is None:  # the baseline won
        recommended = {"conf": 0.25, "iou": 0.7}
    else:
        assert written == {**best["sweep"], "imgsz": 96}
        recommended = written[written["recommended"]]
    assert (predict["conf"], predict["iou"]) == (recommended["conf"], recommended["iou"])
    image = next((ran.data.parent / "images" / "val").iterdir())
    ultralytics_takes(ran.shell, "predict", best["predict"], f"source={image}")


@pytest.mark.long
def test_what_was_found_is_in_mlflow(ran: Ran) -> None:
    trial = ran.trials[1]
    with sqlite3.connect(ran.shell.home / "mlflow.db") as store:
        sql = "select key, value, step from metrics where run_uuid = ? and key like 'final/%'"
        final = {key: (value, step) for key, value, step in store.execute(sql, (trial["mlflow_run_id"],))}
        sql = "select key from params where run_uuid = ?"
        params = {key for (key,) in store.execute(sql, (trial["mlflow_run_id"],))}
    assert final["final/conf"] == (trial["operating_point"]["conf"], 0)
    assert final["final/iou"] == (trial["operating_point"]["iou"], 0)
    gain = trial["sweep"]["gain"]
    assert [final[f"final/{key}"][0] for key in ("gain", "gain_low", "gain_high")] == [
        gain["value"],
        gain["low"],
        gain["high"],
    ]
    assert not {"iou", "conf"} & params
    root = next(ran.shell.home.glob(f"mlartifacts/*/{trial['mlflow_run_id']}/artifacts"))
    assert {"operating_point.json", "predict.yaml", "sweep.png", "best.pt"} <= {path.name for path in root.iterdir()}


@pytest.mark.long
def test_predictions_are_kept_for_later_sweeps(ran: Ran) -> None:
    assert len(list((ran.shell.home / "cache" / "predictions").glob("*.npz"))) == 3


@pytest.mark.long
def test_a_study_that_was_stopped_goes_on_to_the_same_trials(ran: Ran, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "small.yaml").write_text((ran.shell.folder / "small.yaml").read_text())
    words = ("run", "small.yaml", *SPACE, "budget.trials=3", "train.imgsz=96")
    running = shell.run_until("trial 1", *words)
    running.terminate()
    running.communicate(timeout=LONGEST_S)
    shell.run(*words)
    again = shell.json("trials")
    for name in ("state", "value", "params", "metrics", "operating_point"):
        assert [trial[name] for trial in again] == [trial[name] for trial in ran.trials], name


def test_validate_says_what_is_swept_and_over_what(study: Callable[..., Path]) -> None:
    words = [str(study()), *SPACE, "space.agnostic_nms=false"]
    result = CliRunner().invoke(validate, words, catch_exceptions=False)
    for part in (
        "swept on its predictions",
        "iou 0.3 to 0.6 (33 values)",
        "every confidence from 0.01 to 0.5",
        "max_det 300",
        "NMS hard",
        "predictions of 5 models",
        "at iou=0.7 conf=0.25",
        "the others at their best: the sampler does not see it",
    ):
        assert part in result.output, part
    searched = result.output[result.output.index("sampled ") : result.output.index("next:")]
    assert "lr0" in searched
    assert "iou" not in searched
    facts = json.loads(CliRunner().invoke(validate, [*words, "--json"], catch_exceptions=False).output)
    assert facts["sweep"]["conf"] == [0.01, 0.5]
    assert facts["sweep"]["kinds"] == ["hard"]
    assert facts["spec"]["postprocess"] == "swept"


@pytest.mark.long
def test_a_study_from_scratch_is_swept_too(shell: Shell, study: Callable[..., Path]) -> None:
    """The first epochs predict almost nothing."""
    shell.run("run", study(), *SPACE, "budget.trials=2", "train.epochs=2", "baseline=false")
    assert [trial["state"] for trial in shell.json("trials")] == ["COMPLETE"] * 2
