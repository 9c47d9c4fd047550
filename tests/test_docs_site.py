"""``make docs``: the pages build without a warning, no link is broken, and no page loads anything from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from typing_extensions import override

ROOT = Path(__file__).parents[1]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
MADE = {"genindex.html", "py-modindex.html", "search.html"}
"""Pages that Sphinx generates by itself."""
ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)

pytestmark = pytest.mark.long


class Page(HTMLParser):
    """The addresses on a page: those that a browser loads by itself, those that a reader follows, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found["id"]} if "id" in found else set()
        if tag in LOADED and LOADED[tag] in found:
            self.loaded.append(found[LOADED[tag]])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the pages that ``make docs`` builds."""
    folder = tmp_path_factory.mktemp("docs")
    done = _build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


def _build(pages: Path, target: Path) -> subprocess.CompletedProcess[str]:
    options = ["-b", "html", "-c", "docs", "-W", "-n", "--keep-going", "-q"]
    command = [sys.executable, "-m", "sphinx", *options, str(pages), str(target)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_broken_link_fails_the_build_and_is_named(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    links = ["[a](missing-1.md)", "[a](#missing-2)", "[a](other.md#missing-3)", "![a](missing-4.png)"]
    contents = "```{toctree}\nother\n```"
    (pages / "index.md").write_text("\n\n".join(["# First", contents, *links]))
    (pages / "other.md").write_text("# Other\n")
    done = _build(pages, tmp_path / "built")
    assert done.returncode != 0
    assert set(re.findall(r"WARNING: .*missing-(\d)", done.stderr)) == {"1", "2", "3", "4"}


def _pages(folder: Path) -> dict[Path, Page]:
    return {file: Page(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.html"))}


def test_no_page_loads_anything_from_elsewhere(built: Path) -> None:
    for file, page in _pages(built).items():
        assert [address for address in page.loaded if ELSEWHERE.match(address)] == [], file.name
    for sheet in (*built.rglob("*.css"), *built.rglob("*.svg")):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(\s*[\"']?|@import\s+[\"'])(?:https?:)?//[^)\"']*", text) == [], sheet.name


def test_every_link_between_pages_has_its_target(built: Path) -> None:
    pages = _pages(built)
    for file, page in pages.items():
        for link in page.links:
            address, anchor = urldefrag(unquote(link))
            if ":" in address or ELSEWHERE.match(address):
                continue
            target = (file.parent / address).resolve() if address else file
            assert target.exists(), f"{file.name}: {link}"
            assert target not in pages or anchor in pages[target].anchors, f"{file.name}: {link}"


def test_every_row_of_a_table_is_rendered(built: Path) -> None:
    for file in built.rglob("*.html"):
        assert not re.search(r"<p>\s*\|", file.read_text(encoding="utf-8")), file.name


def test_every_page_is_reached_from_the_first(built: Path) -> None:
    seen: set[str] = set()
    open_pages = {"index.html"}
    while open_pages:
        name = open_pages.pop()
        seen.add(name)
        for link in Page((built / name).read_text(encoding="utf-8")).links:
            target = (built / name).parent / urldefrag(unquote(link))[0]
            if target.suffix == ".html" and target.exists():
                open_pages |= {str(target.resolve().relative_to(built.resolve()))} - seen
    written = {str(file.relative_to(built)) for file in built.rglob("*.html")}
    assert written - MADE <= seen
