"""A home and a dataset that moved: commands find them by content, and leave the old place alone."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.shared import copy_of

pytestmark = pytest.mark.long


class Moving:
    """A home and a dataset that lie elsewhere at every call."""

    def __init__(self, home: Path, data: Path, folder: Path) -> None:
        self._places: Iterator[Path] = (folder / f"{number} %41 ?#'" for number in itertools.count())
        self._home, self._data = home, data.parent
        self.before: list[Path] = []

    def __call__(self, shell: Shell) -> Path:
        """Move both, and return the data.yaml."""
        place = next(self._places)
        place.mkdir()
        self.before += [self._home, self._data]
        self._home = self._home.rename(place / "home")
        self._data = self._data.rename(place / "set")
        (self._data / "data.yaml").write_text((self._data / "data.yaml").read_text().replace("path: /", "path: . #"))
        shell.variables["HPO_HOME"] = str(self._home)
        return self._data / "data.yaml"


def test_a_finished_study_goes_on_wherever_its_home_and_data_lie(finished: Path, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "ran", tmp_path / "ran")
    shell = Shell(tmp_path / "shell")
    shell.folder.mkdir()
    file = Path(shutil.copy(tmp_path / "ran" / "small.yaml", shell.folder))
    move = Moving(tmp_path / "ran" / "runs", copy_of(tiny, tmp_path / "set"), tmp_path)
    left = sorted((finished / "ran").rglob("*"))

    shell.run("validate", file, "--data", move(shell))
    home = Path(shell.variables["HPO_HOME"])
    shell.run("run", file, "--data", home.parent / "set" / "data.yaml")
    move(shell)
    best = shell.json("best", "small", "--save", "saved")
    attempt = shell.json("trial", "small", str(best["number"]))["attempts"][-1]
    assert Path(attempt["folder"]).is_relative_to(shell.variables["HPO_HOME"])
    assert "hpo sync small --again" in shell.run("sync", "small", code=3)
    data = move(shell)
    assert json.loads(shell.run("sync", "small", "--again", "--json"))["created"] == 4
    shell.run("report", "small", "--data", data, "--output", "small.html")
    said = shell.run("promote", "small", "--output", "final", "--device", "cpu", "--data", move(shell), code=3)
    assert "final is complete, but not registered yet" in said
    assert "hpo sync small --again" in said

    assert [place for place in move.before if place.exists()] == []
    assert sorted((finished / "ran").rglob("*")) == left
