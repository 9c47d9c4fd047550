"""``hpo.tune``: a user of ``model.tune`` changes one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import hpo
from hpo.api.tuning import SPACE
from hpo.training import environment
from tests.conftest import SMALLEST_MODEL
from tests.training.test_trust import hostile

QUICK: dict[str, Any] = {"epochs": 1, "imgsz": 64, "batch": 8, "plots": False}

READ = """
import sys
from ultralytics.cfg import get_cfg
from ultralytics.utils import YAML
print(get_cfg(overrides=YAML.load(sys.argv[1])).lr0)
"""


def ultralytics(home: Path, *command: str, **variables: str) -> str:
    """Return the output of a program that uses Ultralytics as its users do."""
    environ = {**os.environ, **environment.prepare(home), **variables}
    done = subprocess.run([sys.executable, *command], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tuned(tiny: Path, **more: Any) -> hpo.Study:
    space = {"lr0": (1e-5, 1e-1), "mosaic": (0.0, 1.0)}
    return hpo.tune(str(SMALLEST_MODEL), data=str(tiny), iterations=2, space=space, **QUICK, **more)


@pytest.mark.long
def test_it_leaves_the_file_of_ultralytics_which_ultralytics_takes(home: Path, tiny: Path) -> None:
    numbers: list[int] = []
    study = tuned(tiny, on_trial=lambda trial: numbers.append(trial.number))
    assert (study.name, numbers) == ("tune", [0, 1])
    folder = home.parent / "runs" / "detect" / "tune"
    file = folder / "best_hyperparameters.yaml"
    assert list(yaml.safe_load(file.read_text())) == ["lr0", "mosaic"]
    assert file.read_text().startswith("# 2/2 iterations complete")
    assert f"# Best fitness={study.best.value} observed at iteration {study.best.number + 1}" in file.read_text()
    assert (folder / "weights" / "best.pt").is_file()
    assert float(ultralytics(home, "-c", READ, str(file))) == yaml.safe_load(file.read_text())["lr0"]

    again = tuned(tiny, resume=True)  # what is finished trains nothing more
    assert again.trials.equals(study.trials)


@pytest.mark.long
def test_yolo_train_takes_the_file_and_another_tune_another_folder(home: Path, tiny: Path) -> None:
    tuned(tiny, save=False)
    file = home.parent / "runs" / "detect" / "tune" / "best_hyperparameters.yaml"
    words = ("train", f"cfg={file}", f"model={SMALLEST_MODEL}", f"data={tiny}", "epochs=1", "imgsz=64", "device=cpu")
    ultralytics(home, "-m", "ultralytics.cfg.__init__", *words, "plots=False")
    assert tuned(tiny).name == "tune-2"


@pytest.mark.long
def test_a_data_set_that_ultralytics_knows_by_name_is_found_where_its_settings_say(
    home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpo.api.tuned import Tuned

    sets = home.parent / "datasets"
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            shutil.copytree(tiny.parent / kind / split, sets / "coco8" / kind / split)
    for name, value in environment.prepare(home).items():
        monkeypatch.setenv(name, value)
    ultralytics(home, "-c", f"from ultralytics import settings; settings.update({{'datasets_dir': {str(sets)!r}}})")
    found = yaml.safe_load(Path(Tuned.at(None, None, again=False).data("coco8.yaml")).read_text())
    assert found["path"] == str(sets / "coco8")
    assert len(found["names"]) == 80


def test_what_has_no_meaning_here_is_refused_in_words(home: Path, tiny: Path) -> None:
    with pytest.raises(hpo.SpecError) as caught:
        hpo.tune("yolov8n.yaml", data=tiny, use_ray=True, val=False)
    assert [problem.path for problem in caught.value.problems] == ["use_ray", "val"]
    with pytest.raises(hpo.SpecError) as caught:
        hpo.tune("yolov8n.yaml", data=tiny, space={"momentum": (0.7, 0.98, 0.3), "lr": (0, 1)}, patience=5)
    told = str(caught.value)
    assert "space.momentum: the third number is the gain" in told
    assert "space.lr: " in told
    assert "train.patience: is set by hpo" in told
    with pytest.raises(hpo.UsageError, match="no study 'tune' to go on with"):
        hpo.tune("yolov8n.yaml", data=tiny, resume=True)
    with pytest.raises(hpo.UsageError, match="one data set"):
        hpo.tune("yolov8n.yaml", data=["a.yaml", "b.yaml"])  # type: ignore[arg-type]
    assert not (home / "hpo.db").exists()


def test_a_file_to_trust_that_is_not_there_is_named(home: Path, tiny: Path) -> None:
    with pytest.raises(hpo.UsageError, match=r"--trust .*mine\.pt: can't be read"):
        hpo.tune(str(SMALLEST_MODEL), data=str(tiny), trust=["mine.pt"], **QUICK)


@pytest.mark.long
def test_weights_that_could_run_code_are_tuned_only_where_they_are_trusted(home: Path, tiny: Path) -> None:
    weights = hostile(home.parent)
    asked: dict[str, Any] = {"data": str(tiny), "iterations": 1, "space": {"lr0": (1e-5, 1e-2)}, **QUICK}
    with pytest.raises(hpo.SpecError, match="could run code"):
        hpo.tune(str(weights), **asked)
    assert not (home.parent / "seen").exists()
    assert hpo.tune(str(weights), trust=[weights], **asked).best.weights is not None
    assert (home.parent / "seen").exists()


def test_the_default_space_is_that_of_model_tune_less_what_does_nothing() -> None:
    import ast

    from hpo.studyfile.arguments import arguments

    tree = ast.parse((arguments.package() / "engine" / "tuner.py").read_text())
    spaces = [node for node in ast.walk(tree) if isinstance(node, ast.Dict) and len(node.keys) > 20]
    theirs = {name: tuple(bounds[:2]) for name, bounds in ast.literal_eval(spaces[0]).items()}
    assert theirs.keys() - SPACE.keys() == {"warmup_momentum", "copy_paste"}
    assert {name: theirs[name] for name in SPACE} == SPACE
