"""`hpo init`: it writes a study file that validates, or prints an error and writes nothing."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.cli.conftest import HPO, Shell

OPTIONS = ("--model", "yolov8-w125.yaml", "--trials", "8")


def test_what_it_writes_validates_as_it_stands(shell: Shell, tiny: Path) -> None:
    said = shell.run("init", "--data", tiny, *OPTIONS, "--epochs", "4")
    assert said.splitlines()[-1] == "next: hpo validate study.yaml, then hpo run study.yaml"
    spec = shell.json("validate", "study.yaml")["spec"]
    assert spec["data"] == str(tiny)
    chosen = {"optimizer": "AdamW", "momentum": 0.9, "warmup_bias_lr": 0.0}  # by Ultralytics' rule, for this data
    assert spec["train"] == {"batch": 16, "epochs": 4, "imgsz": 96, "warmup_epochs": 1.0, **chosen}
    assert spec["budget"] == {"trials": 8, "hours": None}
    assert spec["postprocess"] == "swept"


def test_the_study_is_called_as_its_file(shell: Shell, tiny: Path) -> None:
    shell.run("init", "My cells.yaml", "--data", tiny, *OPTIONS)
    assert shell.json("validate", "My cells.yaml")["spec"]["name"] == "my-cells"


def test_it_looks_at_the_data_and_says_what_it_saw(shell: Shell, tiny: Path) -> None:
    shell.run("init", "--data", tiny, *OPTIONS)
    text = (shell.folder / "study.yaml").read_text()
    assert "train 48 images" in text
    assert "zero, one, four, seven" in text
    assert "no test split" in text
    assert "longer side is 96 px" in text


@pytest.mark.parametrize("left_out", ["--data", "--model", "--trials"])
def test_without_a_terminal_what_is_missing_is_named_and_nothing_is_written(
    shell: Shell, tiny: Path, left_out: str
) -> None:
    given = {"--data": str(tiny), "--model": "yolov8-w125.yaml", "--trials": "8"}
    words = [word for option, value in given.items() if option != left_out for word in (option, value)]
    said = shell.run("init", *words, code=2)
    assert left_out in said
    assert [path.name for path in shell.folder.iterdir()] == []


def test_a_file_that_is_there_is_left_as_it_is(shell: Shell, tiny: Path) -> None:
    (shell.folder / "study.yaml").write_text("mine")
    assert "study.yaml: is there already" in shell.run("init", "--data", tiny, *OPTIONS, code=2)
    assert (shell.folder / "study.yaml").read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(shell: Shell, tiny: Path) -> None:
    (shell.folder / "study.yaml").symlink_to(shell.folder / "elsewhere")
    shell.run("init", "--data", tiny, *OPTIONS, code=2)
    assert not (shell.folder / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--objective", "map49"), "map49"),
        (("--name", "Not A Name"), "name"),
        (("--imgsz", "100"), "imgsz"),
    ],
)
def test_a_wrong_choice_is_named_and_leaves_no_file(
    shell: Shell, tiny: Path, words: tuple[str, ...], named: str
) -> None:
    assert named in shell.run("init", "--data", tiny, *OPTIONS, *words, code=2)
    assert not (shell.folder / "study.yaml").exists()


def test_wrong_data_is_told_with_its_place(shell: Shell) -> None:
    (shell.folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a]\n")
    assert "data.yaml" in shell.run("init", "--data", "data.yaml", *OPTIONS, code=2)
    assert not (shell.folder / "study.yaml").exists()


@pytest.mark.parametrize(("called", "name"), [("no: #1 [set]", "no-1-set"), ("~no such user", "no-such-user")])
def test_class_names_and_folders_that_mean_something_in_yaml_do_no_harm(shell: Shell, called: str, name: str) -> None:
    folder = shell.folder / called
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (700, 300)).save(folder / "images" / split / f"{number}.jpg")
            (folder / "labels" / split / f"{number}.txt").write_text("0 .5 .5 .1 .1\n")
    names = ["a\nspace: b", "no"]
    (folder / "data.yaml").write_text(yaml.safe_dump({"train": "images/train", "val": "images/val", "names": names}))
    shell.run("init", "--data", f"{called}/data.yaml", *OPTIONS)
    spec = shell.json("validate", "study.yaml")["spec"]
    assert spec["data"] == str(folder / "data.yaml")
    assert spec["name"] == name
    assert spec["train"]["imgsz"] == 640


def test_in_a_terminal_it_asks_for_what_is_missing(shell: Shell, tiny: Path) -> None:
    """It asks three questions, about the nearby data, the model and the trials, and gets the answers of a person."""
    said = _typed(shell, ["init"], [str(tiny), "yolov8-w125.yaml", "5"])
    assert "Dataset" in said
    assert "Trials" in said
    assert shell.json("validate", "study.yaml")["spec"]["budget"]["trials"] == 5


def _typed(shell: Shell, words: list[str], answers: list[str]) -> str:
    """Return the output of the command on a new terminal with ``answers``, one per question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*HPO, *words], cwd=shell.folder, env=shell.environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said, asked = "", 0
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            said += os.read(ours, 4096).decode()
        except OSError:  # the other end is closed
            break
        if asked < len(answers) and said.rstrip("\r\n").endswith(": ") and said.count(": ") > asked:
            os.write(ours, f"{answers[asked]}\n".encode())
            asked += 1
    os.close(ours)
    assert process.wait() == 0, said
    return said
