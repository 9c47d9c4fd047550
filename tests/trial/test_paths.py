"""Files of an attempt are found in a home that has moved."""

from __future__ import annotations

from pathlib import Path

from hpo.trial.paths import AttemptPaths, here


def attempt(home: Path, token: str) -> Path:
    paths = AttemptPaths.of(home / "studies" / "digits", 3, 1)
    paths.claim(token)
    return paths.folder


def test_an_attempt_is_found_at_the_same_place_of_the_present_home(tmp_path: Path) -> None:
    home = tmp_path / "new %41 ?#'"
    folder = attempt(home, "mine")
    stored = "/old/studies/home/studies/digits/trials/00003-1"
    assert here(stored, "mine", home) == str(folder)
    assert here(f"{stored}/weights/last.pt", "mine", home) == str(folder / "weights" / "last.pt")


def test_a_folder_of_another_attempt_is_not_taken_for_it(tmp_path: Path) -> None:
    attempt(tmp_path, "of a deleted study")
    stored = "/old/studies/digits/trials/00003-1"
    assert here(stored, "mine", tmp_path) == stored
    assert here(stored, "mine", None) == stored
    assert here("/elsewhere/weights", "mine", tmp_path) == "/elsewhere/weights"
