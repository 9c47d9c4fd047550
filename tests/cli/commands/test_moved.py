"""A home, data and weights that move: commands find them by content, and leave the old place alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import STUDY, Shell, with_test_split
from tests.conftest import SMALLEST_MODEL

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
SMALLEST = ("train.epochs=1", "train.warmup_epochs=0", "train.close_mosaic=0")


class Moving:
    """A shell whose home, data and weights lie elsewhere at every command."""

    def __init__(self, folder: Path) -> None:
        self.shell = Shell(folder / "shell")
        self.shell.folder.mkdir()
        self.place = folder / "0"
        self.before: list[Path] = []

    def move(self) -> None:
        self.before.append(self.place)
        self.place = self.place.rename(self.place.with_name(f"{len(self.before)} %41 ?#'"))
        self.shell.variables["HPO_HOME"] = str(self.place / "home")

    @property
    def data(self) -> Path:
        return self.place / "set" / "data.yaml"

    @property
    def named(self) -> tuple[str | Path, ...]:
        """The words that name data and weights where they are now."""
        return "--data", self.data, f"train.pretrained={json.dumps(str(self.place / 'start.pt'))}"

    def run(self, *words: str | Path, code: int = 0) -> str:
        self.move()
        return self.shell.run(*words, code=code)

    def json(self, *words: str | Path) -> Any:
        self.move()
        return self.shell.json(*words)


@pytest.fixture
def moving(tiny: Path, scenes: Path, trained: Path, tmp_path: Path) -> Moving:
    """Return the shell with ``small.yaml`` in its folder: the study's model is trained on from ``start.pt``."""
    made = Moving(tmp_path)
    data = with_test_split(made.place / "set", tiny, scenes)
    data.write_text(data.read_text().replace(f"path: {data.parent}", "path: ."))
    shutil.copyfile(trained, made.place / "start.pt")
    text = STUDY.format(name="small", data=data, model=SMALLEST_MODEL, more="").replace("trials: 4", "trials: 1")
    text = text.replace("\ntrain: {", f"\ntrain: {{pretrained: '{made.place / 'start.pt'}', ")
    (made.shell.folder / "small.yaml").write_text(text)
    return made


def test_home_data_and_weights_may_move_between_every_two_commands(moving: Moving) -> None:
    """What is named once at its new place is found at every later one, for it moves together with the home."""
    file = moving.shell.folder / "small.yaml"
    moving.move()
    moving.shell.run("validate", file, *SMALLEST, *moving.named)
    moving.move()
    moving.shell.run("create", file, *SMALLEST, *moving.named)
    moving.run("worker", "small", "--gpus", "cpu")
    moving.run("update", "small", "budget.trials=2")
    moving.run("run", file, *SMALLEST, "budget.trials=2")
    assert [trial["state"] for trial in moving.json("trials", "small")] == ["COMPLETE", "COMPLETE"]
    best = moving.json("best", "small", "--save", moving.shell.folder / "saved")
    arguments = yaml.safe_load((moving.shell.folder / "saved" / "hyperparameters.yaml").read_text())
    assert arguments["pretrained"] == str(moving.place / "start.pt")
    assert str(moving.place) in (moving.shell.folder / "saved" / "data.yaml").read_text()
    attempt = moving.json("trial", "small", str(best["number"]))["attempts"][-1]
    assert Path(attempt["folder"]).is_relative_to(moving.place)
    assert "confirmation: the baseline and trial" in moving.run(
        "confirm", "small", "--top", "1", "--seeds", "2", "--gpus", "cpu"
    )
    assert "hpo sync small --again" in moving.run("sync", "small", code=3)
    assert moving.json("sync", "small", "--again")["created"] == 2
    output = moving.shell.folder / "final"
    said = moving.run("promote", "small", "--output", output, "--device", "cpu", code=3)
    assert "final is complete, but not registered yet" in said
    assert "hpo sync small --again" in said
    (registered,) = moving.json("sync", "small", "--again")["registered"]
    assert (registered["version"], registered["alias"]) == ("1", "champion")
    (again,) = moving.json("sync", "small", "--again")["registered"]
    assert (again["version"], again["alias"]) == ("2", "champion")
    moving.run("report", "small", "--output", "small.html")
    moving.run("status", "small")
    assert [place for place in moving.before if place.exists()] == []
