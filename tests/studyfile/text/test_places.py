"""Folders that are searched for the data of a study."""

from __future__ import annotations

from pathlib import Path

from tests.studyfile.conftest import Studio


def test_data_is_looked_for_beside_the_study_then_in_the_working_folder(studio: Studio, tmp_path: Path) -> None:
    here = tmp_path / "elsewhere" / "data.yaml"
    here.write_text("names: [b]")
    assert studio.load().data == str(studio.folder / "data.yaml")
    (studio.folder / "data.yaml").unlink()
    assert studio.load().data == str(here)


def test_data_given_as_an_override_is_looked_for_in_the_working_folder_first(studio: Studio, tmp_path: Path) -> None:
    here = tmp_path / "elsewhere" / "data.yaml"
    here.write_text("names: [b]")
    assert studio.load("data=data.yaml").data == str(here)
    here.unlink()
    assert studio.load("data=data.yaml").data == str(studio.folder / "data.yaml")


def test_missing_demo_data_says_how_to_make_it(studio: Studio) -> None:
    assert "hpo data demo" in studio.problem("data=../data/digits/data.yaml").message
    assert "hpo data demo" not in studio.problem("data=other/data.yaml").message
