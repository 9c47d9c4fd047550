"""``hpo sweep`` as a user runs it, on weights that the tests have trained."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typing_extensions import override

from tests.cli.conftest import LONGEST_S, Shell
from tests.shared import made_once

KEYS = {"kind", "iou", "conf", "per_class_conf", "max_det", "precision", "recall", "f1", "map50", "map50_95"}


def without_test(scenes: Path, folder: Path) -> Path:
    path = folder / "digits.yaml"
    lines = [line for line in scenes.read_text().splitlines() if not line.startswith(("test:", "path:"))]
    path.write_text("\n".join([*lines, f"path: {scenes.parent}", ""]))
    return path


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    """Return the demo set without its test split, under its own name, so that a test may change it."""
    return without_test(scenes, tmp_path)


@pytest.fixture(scope="session")
def swept(trained: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a shell's folder after a sweep of val: predictions are made once. said.json holds the output."""

    def make(folder: Path) -> None:
        data, shell = without_test(scenes, folder), Shell(folder)
        (folder / "said.json").write_text(shell.run("sweep", trained, "--data", data, "--json"))

    return made_once(tmp_path_factory, "swept", make)


@pytest.fixture
def warm(shell: Shell, swept: Path) -> Shell:
    """Return a shell that finds the predictions of the trained weights."""
    shutil.copytree(swept / "runs" / "cache", shell.home / "cache")
    return shell


def test_a_sweep_finds_writes_and_says_what_to_do(warm: Shell, trained: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    out = warm.run("sweep", trained, "--data", data, "--save", folder)
    assert "exact operating points" in out
    assert "95% interval" in out
    assert f"yolo predict cfg={folder / 'predict.yaml'}" in out
    found = json.loads((folder / "operating_point.json").read_text())
    assert found["recommended"] in {"best", "default"}
    predict = YAML(typ="safe").load((folder / "predict.yaml").read_text())
    chosen = found[found["recommended"]]
    assert (predict["conf"], predict["iou"]) == (chosen["conf"], chosen["iou"])
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    images = Path(YAML(typ="safe").load(data.read_text())["path"]) / "images" / "val"
    yolo = [str(Path(sys.executable).parent / "yolo"), "predict", f"cfg={folder / 'predict.yaml'}", f"source={images}"]
    done = subprocess.run(
        [*yolo, "save=False", "save_txt=True", "save_conf=True", f"project={tmp_path}", "name=used"],
        cwd=tmp_path, env=warm.environment | {"YOLO_CONFIG_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=LONGEST_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [
        line.split() for file in (tmp_path / "used" / "labels").iterdir() for line in file.read_text().splitlines()
    ]
    assert lines
    assert all(float(line[-1]) >= chosen["conf"] - 1e-4 for line in lines)


@pytest.mark.long
def test_json_has_the_documented_keys(warm: Shell, trained: Path, data: Path) -> None:
    found = warm.json("sweep", trained, "--data", data, "--kinds", "hard,soft", "--objective", "map50_95")
    assert found["best"].keys() >= KEYS and found["default"].keys() >= KEYS  # noqa: PT018
    assert {"metric", "value", "low", "high", "test"} == found["gain"].keys()
    assert found["capture"] == "deploy"
    assert found["images"] > 20
    assert found["settings"] == 33 + 16
    assert found["points"] > 1000
    assert found["gain"]["test"] is None
    assert [kind["kind"] for kind in found["by_kind"]] == ["hard", "soft"]


def test_a_second_sweep_of_the_same_weights_infers_nothing_and_loads_no_torch(
    warm: Shell, swept: Path, trained: Path, data: Path
) -> None:
    first = json.loads((swept / "said.json").read_text())
    look = (
        "import sys; from hpo.cli.main import cli; "
        "cli.main(sys.argv[1:], prog_name='hpo', standalone_mode=False); "
        "sys.exit(5 if {'torch', 'ultralytics', 'mlflow', 'optuna'} & set(sys.modules) else 0)"
    )
    again = subprocess.run(
        [sys.executable, "-c", look, "sweep", str(trained), "--data", str(data), "--json"],
        cwd=warm.folder, env=warm.environment, capture_output=True, text=True, check=False, timeout=LONGEST_S,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert plain(json.loads(again.stdout)) == plain(first)


def plain(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "seconds"}


@pytest.mark.long
def test_a_test_split_is_measured_once_more(warm: Shell, trained: Path, data: Path) -> None:
    data.write_text(data.read_text() + "test: images/test\n")
    found = warm.json("sweep", trained, "--data", data)
    assert set(found["gain"]["test"]) == {"value", "low", "high"}
    assert warm.json("sweep", trained, "--data", data, "--no-test")["gain"]["test"] is None
    alone = warm.json("sweep", trained, "--data", data, "--split", "test")
    assert alone["gain"]["test"] is None
    assert alone["best"] != found["best"]


@pytest.mark.long
def test_what_yolo_predict_can_not_do_is_handed_to_hpo_deploy(
    warm: Shell, trained: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "found"
    words = ("--kinds", "soft", "--per-class", "--objective", "f1 at fp_per_image <= 1000", "--save", folder)
    assert "single classes only" in warm.run("sweep", trained, "--data", data, *words, code=2)
    warm.run(
        "sweep", trained, "--data", data, "--kinds", "soft", "--objective", "f1 at fp_per_image <= 3", "--save", folder
    )
    found = json.loads((folder / "operating_point.json").read_text())
    assert (folder / "predict.yaml").exists() == (found["recommended"] == "default")
    image = next(Path(YAML(typ="safe").load(data.read_text())["path"]).rglob("val/*.*"))
    use = (
        "import sys; from hpo import deploy; "
        "results = deploy.load(sys.argv[1], sys.argv[2], point='best').predict(sys.argv[3]); "
        "print(len(results), results[0].boxes.data.shape[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", use, str(trained), str(folder / "operating_point.json"), str(image)],
        cwd=tmp_path, env=warm.environment, capture_output=True, text=True, check=False, timeout=LONGEST_S,
    )  # fmt: skip
    assert done.stdout.split()[-2:] == ["1", "6"], done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kinds", "hard,nice"), "no kind 'nice'; there are hard, agnostic, diou"),
        (("--objective", "f1 at prec >= 1"), "is no condition"),
        (("--objective", "recall"), "recall at precision >= 0.9"),
        (("--split", "test"), "has no split 'test'; it has train, val"),
        pytest.param(("--device", "7"), "device 7", marks=pytest.mark.long),
    ],
)
def test_wrong_words_end_with_exit_code_2_and_the_way_out(
    shell: Shell, trained: Path, data: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in shell.run("sweep", trained, "--data", data, *words, code=2)


@pytest.mark.long
def test_what_val_can_not_answer_ends_with_exit_code_2(
    shell: Shell, trained: Path, scenes: Path, tmp_path: Path
) -> None:
    root = tmp_path / "lacking"
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        label = next(
            each
            for each in sorted((scenes.parent / "labels" / split).glob("*.txt"))
            if each.read_text().strip() and not any(line.startswith("3 ") for line in each.read_text().splitlines())
        )
        (image,) = (scenes.parent / "images" / split).glob(f"{label.stem}.*")
        shutil.copyfile(image, root / "images" / split / image.name)
        shutil.copyfile(label, root / "labels" / split / label.name)
    data = without_test(scenes, root)
    data.write_text(data.read_text().replace(str(scenes.parent), str(root)))
    words = ("sweep", trained, "--data", data, "--objective")
    told = shell.run(*words, "f1 at recall[seven] >= 0.1", code=2)
    assert "no image of the split val has a label of seven" in told
    assert "has no large object" in shell.run(*words, "map_large", code=2)


@pytest.mark.long
def test_wrong_weights_end_with_exit_code_2_and_nothing_runs(
    shell: Shell, trained: Path, data: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.pt"
    cut.write_bytes(trained.read_bytes()[:5000])
    assert "cut off" in shell.run("sweep", cut, "--data", data, code=2)
    assert "no such file" in shell.run("sweep", tmp_path / "none.pt", "--data", data, code=2)
    assert "no such file" in shell.run("sweep", trained, "--data", tmp_path / "none.yaml", code=2)
    other = tmp_path / "other.yaml"
    other.write_text(data.read_text().replace("seven", "cat"))
    told = shell.run("sweep", trained, "--data", other, code=2)
    assert "'cat' in the data, 'seven' in the weights" in told


class Canary:
    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("canary"),))


def test_weights_that_would_run_code_are_refused_and_do_not_run_it(
    shell: Shell, trained: Path, data: Path, tmp_path: Path
) -> None:
    import torch

    evil = tmp_path / "evil.pt"
    torch.save({"model": Canary()}, evil, pickle_module=pickle)
    assert "--trust" in shell.run("sweep", evil, "--data", data, code=2)
    assert not (tmp_path / "canary").exists()
