"""The data of a study is found where it was found last, also when it has moved together with the home."""

from __future__ import annotations

from pathlib import Path

from hpo.study.studies import places


def data_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "data.yaml").touch()
    return folder / "data.yaml"


def test_what_was_named_is_known_until_it_is_gone(tmp_path: Path) -> None:
    home, data = tmp_path / "runs", data_in(tmp_path / "set %41 ?#'")
    assert places.known(home, "digits", "data") is None
    places.remember(home, "digits", "data", data)
    assert places.known(home, "digits", "data") == data
    assert places.known(home, "digits", "model") is None
    data.unlink()
    assert places.known(home, "digits", "data") is None


def test_data_and_home_may_move_together(tmp_path: Path) -> None:
    data = data_in(tmp_path / "project" / "set")
    places.remember(tmp_path / "project" / "runs", "digits", "data", data)
    moved = (tmp_path / "project").rename(tmp_path / "moved")
    assert places.known(moved / "runs", "digits", "data") == moved / "set" / "data.yaml"


def test_a_damaged_note_is_no_note(tmp_path: Path) -> None:
    data = data_in(tmp_path / "set")
    places.remember(tmp_path, "digits", "data", data)
    (tmp_path / "studies" / "digits" / "places.json").write_text("{torn")
    assert places.known(tmp_path, "digits", "data") is None
    places.remember(tmp_path, "digits", "data", data)
    assert places.known(tmp_path, "digits", "data") == data
