"""The promotion of a winner as a user runs it: final training, files, checks and registration."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpo.tracking.registry import ModelRegistry, RegistryEntry
from tests.cli.conftest import LONGEST_S, STUDY, Shell, with_test_split
from tests.shared import copy_of
from tests.tracking.support import make_study, settings_in

pytestmark = pytest.mark.timeout(1800)
WORDS = ("small.yaml", "train.epochs=2", "train.imgsz=96", "train.warmup_epochs=0", "train.close_mosaic=0")
FILES = {
    "best.pt",
    "data.yaml",
    "hyperparameters.yaml",
    "metrics.json",
    "model-card.md",
    "operating_point.json",
    "predict.yaml",
}


def searched(folder: Path, data: Path, model: Path, *more: str) -> Shell:
    (folder / "small.yaml").write_text(STUDY.format(name="small", data=data, model=model, more=""))
    shell = Shell(folder)
    shell.run("run", *WORDS, *more)
    return shell


@dataclass(frozen=True)
class Promoted:
    shell: Shell
    folder: Path
    told: dict[str, Any]
    data: Path


@pytest.fixture(scope="module")
def plain(tiny: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Return a finished study of one trial, without a test split and without a sweep."""
    return searched(tmp_path_factory.mktemp("plain"), tiny, trained, "budget.trials=1")


@pytest.fixture(scope="module")
def promoted(tiny: Path, scenes: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    """Promote the winner of a swept study with a test split, with an export."""
    folder = tmp_path_factory.mktemp("promoted")
    data = with_test_split(folder / "data", tiny, scenes)
    shell = searched(folder, data, trained, "objective=f1", "space.iou=[0.3, 0.6]", "budget.trials=2")
    told = shell.json("promote", "small", "--output", "winner", "--export", "onnx")
    return Promoted(shell, folder / "winner", told, data)


@pytest.mark.long
def test_a_folder_is_handed_over_and_registered(plain: Shell) -> None:
    said = plain.run("promote", "small", "--output", "final")
    assert "the baseline, which no trial surpassed, unconfirmed" in said
    assert "checked: a fresh process found the same numbers" in said
    assert "registered: small version 1, champion: no other was there" in said
    assert {file.name for file in (plain.folder / "final").iterdir()} == FILES
    assert not list(plain.folder.glob(".final*"))
    reported = json.loads((plain.folder / "final" / "metrics.json").read_text())
    assert reported["splits"]["val"]["map50_all"] > 0.1
    assert "is not empty" in plain.run("promote", "small", "--output", "final", code=2)


@pytest.mark.long
def test_what_is_wrong_is_said_before_anything_is_trained(shell: Shell, study: Callable[..., Path]) -> None:
    shell.run("create", study())
    words = ("promote", "small", "--output", "winner")
    assert "nothing to promote" in shell.run(*words, code=2)
    assert "exclude each other" in shell.run(*words, "--register", "a", "--no-register", code=2)
    assert "no study 'other'" in shell.run("promote", "other", "--output", "winner", code=2)
    assert not (shell.folder / "winner").exists()


@pytest.mark.long
def test_other_data_is_refused_with_the_differences(plain: Shell, tiny: Path, tmp_path: Path) -> None:
    data = copy_of(tiny, tmp_path / "data")
    next((data.parent / "images" / "train").iterdir()).unlink()
    words = ("promote", "small", "--output", "other", "--data", data)
    said = plain.run(*words, code=3)
    assert "split train: 47 images, not 48" in said
    assert "--data" in said
    said = plain.run("promote", "small", "--output", "other", "--trial", "4", code=2)
    assert "--trial 4: study 'small' has trials 0 to 0" in said
    assert not (plain.folder / "other").exists()


@pytest.mark.long
def test_a_registry_that_is_down_is_caught_up_with_by_sync(plain: Shell) -> None:
    plain.variables["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    try:
        said = plain.run("promote", "small", "--output", "later", "--register", "other", code=4)
    finally:
        del plain.variables["MLFLOW_TRACKING_URI"]
    assert "is complete, but not registered yet" in said
    assert {file.name for file in (plain.folder / "later").iterdir()} == FILES
    assert [each["alias"] for each in plain.json("sync", "small")["registered"]] == ["champion"]
    assert plain.json("sync", "small")["registered"] == []


@pytest.mark.long
def test_an_interrupted_promotion_leaves_nothing_and_goes_on(plain: Shell) -> None:
    plain.run("create", *WORDS, "budget.trials=1", "final.epochs=12")
    process = plain.run_until("epoch 2 of 12", "promote", "small", "--output", "long", "--no-register")
    assert plain.end(process, signal.SIGINT) == 130
    assert not list(plain.folder.glob("*long*"))
    said = plain.run("promote", "small", "--output", "long", "--no-register")
    assert "epoch 12 of 12" in said
    assert "goes on with epoch" in said
    assert "epoch 1 of 12" not in said
    once_more = plain.run("promote", "small", "--output", "again", "--no-register")
    assert "epoch 12 of 12" not in once_more  # nothing finished is trained twice
    assert (plain.folder / "long" / "best.pt").read_bytes() == (plain.folder / "again" / "best.pt").read_bytes()


@pytest.mark.long
def test_the_numbers_the_look_and_the_export_are_told(promoted: Promoted) -> None:
    told = promoted.told
    best = promoted.shell.json("best", "small")
    assert (told["trial"], told["confirmed"], told["looks"]) == (best["number"], False, 1)
    assert set(told["metrics"]) == {"val", "test"}
    for split in told["exports"]["onnx"].values():
        assert split["missing"] == 0
        assert split["detections"] > 0
    assert told["registered"]["alias"] == "champion"
    assert (promoted.folder / "best.onnx").is_file()
    with sqlite3.connect(promoted.shell.home / "hpo.db") as store:
        looks = [split for (split,) in store.execute("select split from hpo_looks")]
    assert looks == ["test"]


@pytest.mark.long
def test_the_card_states_the_evidence(promoted: Promoted) -> None:
    card = (promoted.folder / "model-card.md").read_text()
    for said in (
        "None: not confirmed",
        "looked at once so far",
        "| test | 16 |",
        f"{promoted.told['metrics']['test']['f1']:.4g}",
        "`best.onnx` on test",
        "hpo promote small --output",
        "data sha256",
        "## Limits",
    ):
        assert said in card, said


@pytest.mark.long
def test_stock_ultralytics_takes_both_files(promoted: Promoted, tmp_path: Path) -> None:
    yolo = [str(Path(sys.executable).with_name("yolo"))]
    variables = {**promoted.shell.environment, "YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true"}
    settings = "import sys; from ultralytics import SETTINGS; SETTINGS.update({'mlflow': False, 'sync': False})"
    subprocess.run([sys.executable, "-c", settings], env=variables, check=True, cwd=tmp_path, timeout=LONGEST_S)
    images = promoted.data.parent / "images" / "test"
    for words in (
        ["predict", f"cfg={promoted.folder / 'predict.yaml'}", f"source={images}", "save_txt=true", "device=cpu"],
        ["train", f"cfg={promoted.folder / 'hyperparameters.yaml'}", "epochs=1", "device=cpu", "plots=false"],
    ):
        done = subprocess.run(
            [*yolo, *words, f"project={tmp_path}", f"name={words[0]}"],
            env=variables, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=LONGEST_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "predict" / "labels").iterdir())
    assert (tmp_path / "train" / "weights" / "best.pt").is_file()


@pytest.mark.long
def test_a_folder_with_other_weights_does_not_pass_the_check(promoted: Promoted, plain: Shell, tmp_path: Path) -> None:
    shutil.copytree(promoted.folder, tmp_path / "tampered")
    shutil.copyfile(next(plain.home.glob("studies/*/trials/*/weights/best.pt")), tmp_path / "tampered" / "best.pt")
    request = json.dumps({"folder": str(tmp_path / "tampered"), "home": str(tmp_path / "home"), "device": "cpu"})
    command = [sys.executable, "-m", "hpo.training.weights_process", "check", request]
    done = subprocess.run(command, env=promoted.shell.environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])["result"]
    from hpo.promotion.measured import differences, disagreements

    reported = json.loads((promoted.folder / "metrics.json").read_text())["splits"]
    assert differences(reported, found["splits"])
    assert disagreements(found["exports"], 0.01)


@pytest.mark.long
def test_weights_that_are_not_proven_better_become_a_challenger(promoted: Promoted) -> None:
    """The same promotion again, and one with val in the training: both stay beside the champion, which keeps
    its alias.
    """
    shell = promoted.shell
    again = shell.json("promote", "small", "--output", "again", "--trial", str(promoted.told["trial"]))
    assert again["registered"]["alias"] == "challenger"
    assert again["looks"] == 1  # the same weights
    assert "+0.0 points f1 against version 1 on test" in again["registered"]["why"]
    val = shell.json("promote", "small", "--output", "with-val", "--with-val", "--no-register")
    assert (val["looks"], val["registered"]) == (2, None)
    train = (shell.folder / "with-val" / "data.yaml").read_text()
    assert "images/train" in train.partition("val:")[0]
    assert "images/val" in train.partition("val:")[0]
    point = json.loads((shell.folder / "with-val" / "operating_point.json").read_text())
    assert point["source"] == "fixed before the final training"
    assert "trained on" in (shell.folder / "with-val" / "model-card.md").read_text()


@pytest.mark.long
def test_a_better_model_becomes_champion(promoted: Promoted, tmp_path: Path) -> None:
    """The champion in the registry is the same network with random weights; the new version wins against it."""
    shutil.copytree(promoted.folder, tmp_path / "weak")
    forget = (
        "import sys, torch\n"
        "from ultralytics import YOLO\n"
        "model = YOLO(sys.argv[1])\n"
        "for values in model.model.parameters():\n"
        "    torch.nn.init.normal_(values.data, std=0.01)\n"
        "model.save(sys.argv[1])\n"
    )
    variables = {**promoted.shell.environment, "YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true"}
    command = [sys.executable, "-c", forget, str(tmp_path / "weak" / "best.pt")]
    subprocess.run(command, env=variables, check=True, capture_output=True)
    registry = ModelRegistry(settings_in(promoted.shell.home))
    entry = RegistryEntry("weak", "contested", tmp_path / "weak", {}, "", {})
    assert registry.add(make_study(uuid="another", name="another"), entry, "champion") == "1"
    told = promoted.shell.json("promote", "small", "--output", "better", "--register", "contested")["registered"]
    assert (told["version"], told["alias"]) == ("2", "champion"), told["why"]
    assert "against version 1 on test" in told["why"]
    (tmp_path / "fetched").mkdir()
    champion = registry.champion("contested", tmp_path / "fetched")
    assert champion is not None
    assert champion.version == "2"


@pytest.mark.long
def test_the_registered_model_detects(promoted: Promoted) -> None:
    program = (
        "import mlflow, numpy as np, sys\n"
        "from pathlib import Path\n"
        "from PIL import Image\n"
        f"mlflow.set_tracking_uri('sqlite:///{promoted.shell.home}/mlflow.db')\n"
        "model = mlflow.pyfunc.load_model('models:/small@champion')\n"
        f"files = sorted(Path({str(promoted.data.parent / 'images' / 'test')!r}).iterdir())[:4]\n"
        "found = model.predict(np.stack([np.asarray(Image.open(file).convert('RGB')) for file in files]))\n"
        "print(list(found.columns), len(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=promoted.shell.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    columns, _, count = done.stdout.splitlines()[-1].rpartition(" ")
    assert columns == "['image', 'x1', 'y1', 'x2', 'y2', 'score', 'class', 'name']"
    assert int(count) > 0


@pytest.mark.long
def test_the_command_itself_never_loads_a_framework(promoted: Promoted) -> None:
    words = ["promote", "small", "--output", "light", "--export", "onnx", "--register", "light"]
    program = (
        "import sys\n"
        "from hpo.cli.main import cli\n"
        "if __name__ == '__main__':\n"  # what multiprocessing starts imports this again
        f"    cli.main({words!r}, standalone_mode=False)\n"
        "    print(sorted({'torch', 'ultralytics', 'onnx', 'onnxruntime'} & set(sys.modules)))\n"
    )
    (promoted.shell.folder / "light.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "light.py"],
        cwd=promoted.shell.folder,
        env=promoted.shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
