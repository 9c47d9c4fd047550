"""Weights from a real MLflow store equal the uploaded ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import HpoError, StorageUnavailable
from hpo.settings import Settings
from hpo.study.records import TrialRow
from hpo.tracking.projection import Projector
from hpo.tracking.weights import fetch
from tests.tracking.support import Rows, attempt_folder, make_epochs, make_study, make_trial

Make = Callable[[Rows], Projector]


@pytest.fixture
def stored(projector: Make, tmp_path: Path) -> TrialRow:
    """Return a complete trial in MLflow; its folder has been removed."""
    rows, folder = Rows(make_study()), attempt_folder(tmp_path / "00000-1")
    rows.put(make_trial(0, folder=str(folder)), make_epochs(0, 5))
    run_id = projector(rows).trial(0)
    (folder / "weights" / "best.pt").rename(tmp_path / "as-trained.pt")
    return replace(rows.trial(0), mlflow_run_id=run_id)


def test_what_was_uploaded_is_fetched_whole(stored: TrialRow, settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "new" / "one.pt"
    assert fetch(settings, stored, target)
    assert target.read_bytes() == (tmp_path / "as-trained.pt").read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["one.pt"]


def test_a_run_without_weights_has_none_yet(projector: Make, settings: Settings, tmp_path: Path) -> None:
    rows = Rows(make_study())
    rows.put(make_trial(0, folder=str(tmp_path / "on-another-machine")), make_epochs(0, 5))
    run_id = projector(rows).trial(0)
    for known in (None, run_id):
        assert not fetch(settings, replace(rows.trial(0), mlflow_run_id=known), tmp_path / "one.pt")
    assert not (tmp_path / "one.pt").exists()


def test_damaged_ones_are_refused(stored: TrialRow, settings: Settings, tmp_path: Path) -> None:
    assert settings.artifact_root is not None
    [held] = settings.artifact_root.rglob("best.pt")
    held.write_bytes(b"torn")
    with pytest.raises(HpoError, match="is not what was uploaded"):
        fetch(settings, stored, tmp_path / "one.pt")
    assert not (tmp_path / "one.pt").exists()


def test_a_server_that_is_away_is_said_to_be(stored: TrialRow, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:9"):
        fetch(replace(settings, tracking_uri="http://127.0.0.1:9"), stored, tmp_path / "one.pt")
