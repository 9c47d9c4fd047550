"""How long MLflow takes to show the best of many trials, through its API and in a browser.

``PYTHONPATH=. python benchmarks/mlflow_view.py [--trials 1000] [--epochs 30] [--repeats 5]``

A study of so many finished trials is projected to a store of its own (SQLite), served by ``mlflow server`` as
``hpo ui`` starts it, and asked: the ten best by value through the API, and the prepared view in a headless Chromium,
from the address to the first sorted row on the screen. Printed: the time of the projection, and of both the first time
and the median of the rest.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from mlflow.tracking import MlflowClient
from playwright.sync_api import sync_playwright

from hpo.servers import Address
from hpo.tracking import ui
from hpo.tracking.projection import Projector
from hpo.trial.vocabulary import Reason
from tests.postgres import free_port
from tests.tracking.support import Rows, make_epochs, make_study, make_trial, settings_in

ARGUMENTS = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking"
BEST = 10


def study_of(trials: int, epochs: int) -> Rows:
    """Two of three are complete, one is pruned."""
    rows = Rows(make_study())
    for number in range(trials):
        reason = Reason.PRUNED if number % 3 == 2 else Reason.COMPLETE
        length = epochs // 2 if reason is Reason.PRUNED else epochs
        rows.put(make_trial(number, reason), make_epochs(number, length))
    return rows


def best_through_the_api(base: str, experiment_id: str, wanted: list[str]) -> float:
    began = time.perf_counter()
    found = MlflowClient(base).search_runs(
        [experiment_id], "tags.stage = 'search'", order_by=["metrics.value DESC"], max_results=BEST
    )
    seconds = time.perf_counter() - began
    assert [run.info.run_name for run in found] == wanted[:BEST]
    return seconds


def first_sorted_row(browser: Any, url: str, best: str) -> float:
    """A fresh profile each time, so that nothing is cached."""
    context = browser.new_context(viewport={"width": 1500, "height": 900})
    page = context.new_page()
    page.set_default_timeout(300_000)
    began = time.perf_counter()
    page.goto(url)
    page.locator('[row-index="0"]', has_text=re.compile(best)).first.wait_for()
    seconds = time.perf_counter() - began
    context.close()
    return seconds


def show(name: str, ask: Callable[[], float], repeats: int) -> None:
    first, *rest = [ask() for _ in range(repeats)]
    print(f"{name:38} first {first:6.2f} s, then {median(rest):6.2f} s (median of {len(rest)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder) / "runs")
        settings.home.mkdir()
        rows = study_of(given.trials, given.epochs)
        began = time.perf_counter()
        experiment_id = Projector(settings, rows.study, rows).everything().experiment_id
        print(f"{given.trials} trials projected in {time.perf_counter() - began:.0f} s")
        complete = [row for row in rows.trials() if row.value is not None]
        wanted = [f"trial-{row.number:05d}" for row in sorted(complete, key=lambda row: -(row.value or 0.0))]
        address = Address("127.0.0.1", free_port())
        with ui.server(settings, address), sync_playwright() as playwright:
            show(
                f"the {BEST} best through the API",
                lambda: best_through_the_api(address.url, experiment_id, wanted),
                given.repeats,
            )
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS.split())
            url = ui.page(address.url, experiment_id)
            show(
                "the first sorted row in the browser", lambda: first_sorted_row(browser, url, wanted[0]), given.repeats
            )
            browser.close()


if __name__ == "__main__":
    main()
