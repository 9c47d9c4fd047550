"""A real browser without a network shows all of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpo.report import html
from tests.report.test_report import make_report

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


@pytest.mark.long
def test_offline_nothing_is_missing(browser: Any, tmp_path: Path) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(html.render(make_report(pictures=(PIXEL,))))
    requests: list[str] = []
    complaints: list[str] = []
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 800})
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(page_file.as_uri())
    assert page.locator("svg").count() == 4
    assert all(
        box is not None and box["width"] > 300 for box in (svg.bounding_box() for svg in page.locator("svg").all())
    )
    assert page.locator("#trials tr").count() > 10
    assert page.locator("img").evaluate("image => image.naturalWidth") == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    context.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
