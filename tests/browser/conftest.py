"""A finished study on a real MLflow server, and a real browser; ``HPO_SCREENSHOTS`` names the folder for
screenshots.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpo.servers import Address
from hpo.tracking import ui
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.tracking.support import Rows, make_rows, settings_in

LONGEST_MS = 120_000
"""Longest wait for an expected element, on a busy machine."""


@dataclass(frozen=True)
class Served:
    rows: Rows
    base: str
    experiment_id: str

    @property
    def page(self) -> str:
        return ui.page(self.base, self.experiment_id)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = settings_in(tmp_path_factory.mktemp("served") / "runs")
    settings.home.mkdir()
    kinds = [Reason.COMPLETE, Reason.COMPLETE, Reason.PRUNED, Reason.COMPLETE]
    rows = make_rows([*(kinds * 8), Reason.CRASH])
    projector = Projector(settings, rows.study, rows)
    found = projector.everything()
    projector.plots()
    address = Address("127.0.0.1", free_port())
    with ui.server(settings, address):
        yield Served(rows, address.url, found.experiment_id)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1500, "height": 900})
    page = context.new_page()
    page.set_default_timeout(LONGEST_MS)
    yield page
    context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("HPO_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
