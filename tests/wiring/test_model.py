"""The model's text in the database is used only where it is the one that the study was made with, and harmless."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from hpo.errors import SpecError, StudyConflict, UsageError
from hpo.files import digest
from hpo.launchers.forkserver import ForkserverLauncher
from hpo.settings import Settings
from hpo.study.records import Identity, StudyRow
from hpo.wiring import model
from tests.conftest import SMALLEST_MODEL
from tests.tracking.support import make_study

NO_PROCESS = cast(ForkserverLauncher, None)
CODE = "\nactivation: __import__('os').system('touch canary')\n"


def stored(text: str, made_with: str) -> StudyRow:
    """Return a study whose row holds ``text``, and was made with ``made_with``."""
    row = make_study()
    sha256 = hashlib.sha256(f"{row.spec.model}\n{made_with}".encode()).hexdigest()
    return replace(row, facts=replace(row.facts, model_yaml=text), identity=Identity("d" * 64, sha256))


def here(study: StudyRow, home: Path) -> str:
    return model.here(NO_PROCESS, study, Settings(home, "", "", None))


def test_the_stored_text_becomes_the_file_that_is_trained(tmp_path: Path) -> None:
    text = SMALLEST_MODEL.read_text()
    placed = Path(here(stored(text, text), tmp_path))
    assert (placed.name, placed.read_text()) == ("yolov8n.yaml", text)


def test_a_text_that_was_changed_in_the_database_is_refused_and_not_written(tmp_path: Path) -> None:
    text = SMALLEST_MODEL.read_text()
    with pytest.raises(StudyConflict, match=r"model \(its stored text\): sha256 (.|\n)*make the study anew"):
        here(stored(text + "# changed\n", text), tmp_path)
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_text_that_would_run_code_is_refused_even_where_its_digest_was_changed_too(tmp_path: Path) -> None:
    text = SMALLEST_MODEL.read_text() + CODE
    with pytest.raises(SpecError, match=r"study digits, yolov8n\.yaml:\d+: activation: "):
        here(stored(text, text), tmp_path)
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_trusted_file_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.write_bytes(b"weights")
    assert model.trusted([file]) == {str(file): digest(file)}
    with pytest.raises(UsageError, match=r"--trust .*none\.pt: can't be read: No such file"):
        model.trusted([tmp_path / "none.pt"])
