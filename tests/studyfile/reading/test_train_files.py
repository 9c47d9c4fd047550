"""Weights that are named under ``train`` are files that exist, or weights that Ultralytics offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.studyfile.conftest import MINIMAL, Studio

NAMES = ("pretrained", "distill_model")


def study(argument: str, value: str) -> str:
    return MINIMAL.replace("optimizer: SGD", f"optimizer: SGD, {argument}: {value}")


@pytest.mark.parametrize("argument", NAMES)
def test_a_file_is_found_beside_the_study_from_any_folder(
    studio: Studio, argument: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (studio.folder / "weights").mkdir()
    file = studio.folder / "weights" / "first.pt"
    file.write_bytes(b"weights")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert studio.load(text=study(argument, "weights/first.pt")).train_args[argument] == str(file)


def test_a_file_named_on_the_command_line_is_found_in_the_working_folder(
    studio: Studio, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = tmp_path_factory.mktemp("elsewhere")
    for folder in (studio.folder, working):
        (folder / "first.pt").write_bytes(b"weights")
    monkeypatch.chdir(working)
    assert Path(studio.load("train.pretrained=first.pt").train_args["pretrained"]) == working / "first.pt"


@pytest.mark.parametrize("argument", NAMES)
@pytest.mark.parametrize("value", ["gone.pt", "weights/gone.pt", "/weights/gone.pt"])
def test_a_file_that_is_missing_is_refused_with_the_places(studio: Studio, argument: str, value: str) -> None:
    problem = studio.problem(text=study(argument, value))
    assert problem.path == f"train.{argument}"
    assert "no such file" in problem.message
    assert str(studio.folder / value) in problem.message


@pytest.mark.parametrize("value", [True, False, "yolov8s.pt", "yolo11n.pt", "https://example.org/first.pt"])
def test_a_flag_and_what_ultralytics_fetches_stay_as_written(studio: Studio, value: bool | str) -> None:
    assert studio.load(text=study("pretrained", str(value))).train_args["pretrained"] == value
