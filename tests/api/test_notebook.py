"""The notebook of examples/ runs as it is committed, in a separate kernel."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"


@pytest.mark.long
def test_the_notebook_runs_to_its_end_and_shows_its_progress(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": home.parent}}).execute()
    shown = [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    assert "2/2 trials" in shown[1]
    assert "trial 1: " in shown[1]
    assert "'finished', 2" in shown[3]
    assert "Warning" not in "".join(shown)
    assert (home / "studies" / "notebook").is_dir()


def test_the_committed_outputs_name_no_path_of_a_machine() -> None:
    text = NOTEBOOK.read_text()
    assert '"execution_count": 1' in text  # it was executed
    assert not re.search(r"/(home|root|tmp|work|Users|usr)/", text)
