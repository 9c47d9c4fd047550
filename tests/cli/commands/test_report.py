"""``hpo report`` on a study with results, and on one without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Done, Shell


@pytest.mark.long
def test_a_study_is_told_in_one_file_of_either_form(shell: Shell, study: Callable[..., Path], done: Done) -> None:
    shell.run("create", study())
    assert "no complete trial yet" in shell.run("report", "small", "--output", "r.html", code=2)
    shell = done.shell
    assert "say which with --format" in shell.run("report", "small", "--output", "r.txt", code=2)
    assert "wrote r.html" in shell.run("report", "small", "--output", "r.html")
    page = (shell.folder / "r.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert "lr0" in page
    shell.run("report", "--output", "deep/r.txt", "--format", "md")
    assert (shell.folder / "deep" / "r.txt").read_text().startswith("# small\n")
