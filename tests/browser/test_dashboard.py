"""optuna-dashboard on a study's database, in a real browser."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hpo.study.database.storage import open_storage
from hpo.study.studies.lifecycle import create_or_join
from tests.browser.conftest import free_port
from tests.study.filling import fill
from tests.study.support import FACTS, IDENTITY, study_spec

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
TRIALS = 12


@contextmanager
def dashboard(url: str, log: Path) -> Iterator[str]:
    """Start the dashboard as its command does; it ends with the block."""
    base = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(Path(sys.executable).with_name("optuna-dashboard")), url, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{base}/api/studies", timeout=5).close()  # noqa: S310  (our own address)
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.2)
        yield base
    finally:
        process.terminate()
        process.wait(30)


def test_it_shows_the_study_its_best_trial_and_its_history(page: Any, tmp_path: Path, pictures: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    with open_storage(url, create=True) as storage:
        study = create_or_join(storage, study_spec("seen", trials=TRIALS), IDENTITY, FACTS)
        fill(storage, study, TRIALS, 3)
        best = max(storage.optuna.get_all_trials(study.id), key=lambda trial: trial.value or 0.0)
    with dashboard(url, tmp_path / "dashboard.log") as base:
        page.goto(f"{base}/dashboard/")
        page.get_by_text("seen").first.click()
        page.get_by_text("Best Trial").first.wait_for()
        page.get_by_text(f"number={best.number}").first.wait_for()
        page.locator("#plot-history .main-svg, .js-plotly-plot .main-svg").first.wait_for()
        page.screenshot(path=pictures / "optuna-dashboard.png")
