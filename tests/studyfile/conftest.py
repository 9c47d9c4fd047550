"""A study folder for test files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hpo.errors import Problem, SpecError
from hpo.studyfile.loader import load_file
from hpo.studyfile.schema import StudySpec

MINIMAL = """\
name: demo
data: data.yaml
model: yolov8n.yaml
train: {epochs: 20, optimizer: SGD}
space:
  lr0: {low: 1e-4, high: 1e-1, log: true}
"""


class Studio:
    """Writer and loader of study files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "data.yaml").write_text("path: .\ntrain: images\nval: images\nnames: [a]\n")

    def write(self, text: str = MINIMAL, name: str = "study.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def load(self, *overrides: str, text: str = MINIMAL) -> StudySpec:
        return load_file(self.write(text), overrides)

    def problems(self, *overrides: str, text: str = MINIMAL) -> list[Problem]:
        """Return the problems of a study that must be refused."""
        with pytest.raises(SpecError) as caught:
            self.load(*overrides, text=text)
        return list(caught.value.problems)

    def problem(self, *overrides: str, text: str = MINIMAL) -> Problem:
        """Return the only problem of a study that must be refused."""
        found = self.problems(*overrides, text=text)
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = tmp_path / "studies"
    folder.mkdir()
    return Studio(folder)


def paths(problems: Sequence[Problem]) -> list[str]:
    return [problem.path for problem in problems]
