"""`hpo validate` and `hpo schema`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.commands.spec import schema, validate
from hpo.errors import SpecError
from tests.conftest import SMALLEST_MODEL

STUDY = """\
name: demo
data: {data}
model: yolov8n.yaml
train: {{epochs: 20, imgsz: 64, batch: 8}}
space:
  - yolov8-full
  - nms
  - imgsz: [64, 128]
objective: f1
search: {{pruner: median}}
"""


@pytest.fixture
def study(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HPO_HOME", str(tmp_path / "runs"))
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.format(data=tiny).replace(", imgsz: 64", ""))
    return path


def test_weights_that_are_not_here_are_said_to_be_downloaded(study: Path, tmp_path: Path) -> None:
    def said() -> str:
        return CliRunner().invoke(validate, [str(study), "model=yolov8m.pt"], catch_exceptions=False).output

    place = tmp_path / "runs" / "weights" / "yolov8m.pt"
    assert f"yolov8m.pt is not on this machine: it will be downloaded by `hpo run`, to {place}" in said()
    place.parent.mkdir(parents=True)
    place.touch()
    assert "downloaded" not in said()


def _hpo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hpo", *arguments], capture_output=True, text=True, check=False)


def test_a_model_that_ultralytics_would_run_as_code_is_refused_with_its_line(study: Path) -> None:
    model = study.with_name("mine.yaml")
    model.write_text(f"{SMALLEST_MODEL.read_text()}\nactivation: __import__('os').system('touch {study}.canary')\n")
    with pytest.raises(SpecError, match=rf"{model}:\d+: activation: .* is no activation") as refused:
        CliRunner().invoke(validate, [str(study), f"model={model}"], catch_exceptions=False)
    assert refused.value.exit_code == 2
    assert not Path(f"{study}.canary").exists()


def test_validate_shows_what_would_be_searched_trained_and_stopped(study: Path) -> None:
    result = CliRunner().invoke(validate, [str(study), "budget.hours=2"], catch_exceptions=False)
    assert result.exit_code == 0
    for part in (
        "48 images",
        "background",
        "0.0001 to 0.1, log",
        "of the study's arguments it keeps batch, epochs",
        "120 in a trial, 18 in the baseline",
        "optimizer is SGD or MuSGD",
        "tpe, seed 0",
        "may stop a trial after epoch 6, 7, 8",
        "50 trials of 20 epochs, at most 2 hours",
        "optimizer=AdamW",
        "at iou=0.7 conf=0.25",
        "64 to 128, step 32",
        f"next: hpo run {study} budget.hours=2",
    ):
        assert part in result.output, part


def test_validate_as_json_holds_the_facts(study: Path) -> None:
    result = CliRunner().invoke(validate, [str(study), "--json"], catch_exceptions=False)
    facts = json.loads(result.output)
    assert facts["spec"]["name"] == "demo"
    assert facts["dataset"]["splits"]["train"]["images"] == 48
    assert facts["pruning"]["first"] == 6
    assert facts["baseline"]["train"]["optimizer"] == "AdamW"
    assert facts["baseline"]["in_space"] is False
    assert (facts["baseline"]["kept"], facts["baseline"]["dropped"]) == (["batch", "epochs"], [])
    assert facts["steps"]["trials"] == [120, 120]
    assert "the baseline" in facts["steps"]["cautions"][0]
    assert len(facts["sha256"]) == 64


def test_validate_tells_what_the_baseline_drops_and_names_a_recipe(study: Path) -> None:
    own = ["train={epochs: 20, batch: 8, nbs: 8, fliplr: 0.0}", "space={lr0: {follows: optimizer}}"]
    said = CliRunner().invoke(validate, [str(study), *own], catch_exceptions=False).output
    assert "fliplr, nbs: the study's own choice, and a part of the gain" in said
    assert "0.000125 to 0.0125, log" in said  # of four classes: a decade to either side of 0.00125
    recipe = "baseline={train: {nbs: 8, fliplr: 0.0}}"
    said = CliRunner().invoke(validate, [str(study), *own, recipe], catch_exceptions=False).output
    assert "trial 0, your recipe: " in said
    assert "120 in a trial, 120 in the baseline" in said


def test_validate_says_when_a_training_is_too_short_to_stop(study: Path) -> None:
    result = CliRunner().invoke(
        validate, [str(study), "train.epochs=4", "space={mosaic: [0, 1]}"], catch_exceptions=False
    )
    assert "4 epochs are too few to stop a trial early" in result.output


def test_validate_lists_all_problems_with_exit_code_2_and_writes_nothing(study: Path, tmp_path: Path) -> None:
    result = _hpo("validate", str(study), "train.epoch=3", "objective=map50", "plots=some", "postprocess=sampled")
    assert result.returncode == 2
    assert result.stdout == ""
    for part in ("train.epoch", "did you mean epochs?", "space.conf", "plots", "nms.yaml"):
        assert part in result.stderr, part
    assert not (tmp_path / "runs").exists()


def test_validate_knows_the_dataset_and_the_model(study: Path) -> None:
    copying = _hpo("validate", str(study), "space.copy_paste=[0, 1]")
    assert (copying.returncode, "polygons" in copying.stderr) == (2, True)
    without_nms = _hpo("validate", str(study), "model=rtdetr-l.yaml")
    assert (without_nms.returncode, "no non-maximum suppression" in without_nms.stderr) == (2, True)


def test_schema_is_json() -> None:
    result = CliRunner().invoke(schema, [], catch_exceptions=False)
    assert json.loads(result.output)["required"] == ["name", "data", "model", "space"]


def test_validate_says_where_val_can_say_nothing_about_new_images(study: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "images").mkdir()
    train = tiny.parent / "images" / "train"
    image = next(each for each in sorted(train.iterdir()) if (tiny.parent / f"labels/train/{each.stem}.txt").exists())
    shutil.copyfile(image, tmp_path / "images" / "copy.jpg")
    shutil.copyfile(tiny.parent / f"labels/train/{image.stem}.txt", tmp_path / "labels" / "copy.txt")
    data = tmp_path / "data.yaml"
    data.write_text(f"train: {train}\nval: {tmp_path / 'images'}\nnames: [zero, one, four, seven]\n")
    said = CliRunner().invoke(validate, [str(study), f"data={data}"], catch_exceptions=False).output
    assert "val is one image" in said
    assert "1 of 1 images of val are in train" in said
    data.write_text(f"train: {train}\nval: {train}\nnames: [zero, one, four, seven]\n")
    said = CliRunner().invoke(validate, [str(study), f"data={data}"], catch_exceptions=False).output
    assert "48 of 48 images of val are in train" in said
    told = json.loads(CliRunner().invoke(validate, [str(study), f"data={data}", "--json"]).output)
    assert told["cautions"] == ["48 of 48 images of val are in train, too: values there say nothing about new images"]
    assert "are in train" not in CliRunner().invoke(validate, [str(study)], catch_exceptions=False).output
