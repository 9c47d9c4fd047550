"""MLflow's own UI on a finished study, in a real browser: everything that the prepared view promises is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from hpo.trial.vocabulary import TrialState
from tests.browser.conftest import Served

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
TRIAL = re.compile(r"^trial-\d{5}$")
CHECKED = "input[type=checkbox]"


def opened(page: Any, url: str) -> Any:
    """Return the page with the table, without the assistant's panel, which opens at a first visit."""
    page.goto(url)
    page.get_by_text(TRIAL).first.wait_for()
    panel = page.get_by_text("MLflow Assistant")
    if panel.count():
        page.get_by_role("button", name="Close").last.click()
    return page


def order(page: Any) -> list[str]:
    """Return the names of the visible rows, from the top."""
    found = [(link.bounding_box(), link.inner_text()) for link in page.get_by_role("link", name=TRIAL).all()]
    return [name for box, name in sorted((box["y"], name) for box, name in found if box is not None)]


def test_the_table_shows_the_best_first_with_what_was_sampled(page: Any, served: Served, pictures: Path) -> None:
    opened(page, served.page)
    best = sorted(
        (row for row in served.rows.trials() if row.state is TrialState.COMPLETE), key=lambda row: -(row.value or 0.0)
    )
    names = order(page)
    assert len(names) >= 5
    ranked = [f"trial-{row.number:05d}" for row in best]
    assert names[: len(ranked)] == ranked[: len(names)], "those without a value come last"
    page.get_by_role("columnheader", name="value").first.wait_for()
    shown = {header.inner_text() for header in page.get_by_role("columnheader").all()}
    assert {"value", "objective", "lr0", "conf"} <= shown
    assert not {"box", "workers", "nested"} & shown
    assert page.get_by_text(f"best {best[0].value:.4f} (trial {best[0].number})").is_visible()
    page.screenshot(path=pictures / "mlflow-table.png")


def test_it_sorts_by_another_column(page: Any, served: Served) -> None:
    opened(page, served.page)
    before = order(page)
    page.locator("[role=columnheader]", has_text="lr0").first.click()
    page.wait_for_function("decodeURIComponent(location.href).includes('orderByKey=params.`lr0`')")
    expected = sorted(served.rows.trials(), key=lambda row: str(row.params["lr0"]), reverse=True)
    first = f"trial-{expected[0].number:05d}"
    page.wait_for_function("first => document.querySelector('[row-index=\"0\"]')?.innerText.includes(first)", arg=first)
    assert order(page) != before


def test_three_trials_are_compared(page: Any, served: Served, pictures: Path) -> None:
    opened(page, served.page)
    names = order(page)[:3]
    for index in range(3):
        page.locator(f'[row-index="{index}"] {CHECKED}').first.check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile("compare-runs"))
    for name in names:
        page.get_by_text(name).first.wait_for()
    page.get_by_text("weight_decay").first.wait_for()
    page.screenshot(path=pictures / "mlflow-compare.png")


def test_the_charts_page_draws_curves_parallel_coordinates_and_scatters(
    page: Any, served: Served, pictures: Path
) -> None:
    opened(page, f"{served.page}&compareRunsMode=CHART")
    page.get_by_text("Parallel Coordinates").first.wait_for()
    page.get_by_text("lr0 vs. value").first.wait_for()
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 2")
    page.locator(".parcoords svg, svg.parcoords, .parcoords").first.wait_for()
    page.screenshot(path=pictures / "mlflow-charts.png")


def test_the_studys_plots_are_drawn_in_the_artifact_viewer(page: Any, served: Served, pictures: Path) -> None:
    (run,) = MlflowClient(served.base).search_runs([served.experiment_id], "tags.stage = 'study'")
    place = f"{served.base}/#/experiments/{served.experiment_id}/runs/{run.info.run_id}/artifacts/plots"
    page.goto(f"{place}/optuna.html")
    frame = page.frame_locator("iframe").first
    for title in ("History", "Importances", "Timeline", "Slice", "Parallel coordinates", "Contour"):
        frame.get_by_role("heading", name=title, exact=True).wait_for()
    frame.locator("#contour ~ div .main-svg").first.wait_for()
    assert frame.locator(".js-plotly-plot").count() == 6
    page.locator("iframe").first.screenshot(path=pictures / "mlflow-plots.png")
