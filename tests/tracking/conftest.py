"""MLflow stores in temporary folders, and a server on loopback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.settings import Settings
from hpo.tracking.client import connect
from hpo.tracking.projection import Projector
from tests.tracking.support import Rows, copy_store, settings_in, store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow SQLite store without runs; making one takes a second."""
    settings = settings_in(tmp_path_factory.mktemp("empty"))
    connect(settings.tracking_uri)
    return store(settings)


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path) -> Settings:
    made = settings_in(tmp_path / "runs")
    made.home.mkdir()
    copy_store(empty_store, store(made))
    return made


@pytest.fixture
def other_settings(tmp_path: Path, empty_store: Path) -> Settings:
    """Return a second store, to compare the first one with."""
    made = settings_in(tmp_path / "others")
    made.home.mkdir()
    copy_store(empty_store, store(made))
    return made


@pytest.fixture
def projector(settings: Settings) -> Callable[[Rows], Projector]:
    """Return a new projector, as a new process would make it."""
    return lambda rows: Projector(settings, rows.study, rows)
