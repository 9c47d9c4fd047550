"""The version is defined in one place, and the commit is shown with it."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

import hpo
from hpo import version
from tests.cli.conftest import HPO
from tests.conftest import ROOT


def test_the_command_shows_the_release_and_the_commit() -> None:
    said = subprocess.run([*HPO, "--version"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.startswith(f"hpo, version {hpo.__version__}")
    if (ROOT / ".git").exists():
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        found = re.search(r"commit ([0-9a-f]{10})", said)
        assert found is not None
        assert head.startswith(found[1])


def test_the_build_reads_the_version_where_the_code_states_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "hpo/version.py"


def test_the_changelog_has_the_version() -> None:
    changelog = ROOT / "CHANGELOG.md"
    if not changelog.exists():
        pytest.skip("no changelog in this tree")
    assert f"[{hpo.__version__}]" in changelog.read_text()


def test_without_git_the_release_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert version.described() == hpo.__version__
