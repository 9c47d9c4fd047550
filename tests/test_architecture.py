"""The pictures of docs/architecture.md show the packages as they are."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "architecture.py"))


@pytest.mark.parametrize("package", SCRIPT["PICTURES"])
def test_the_picture_shows_the_packages_of_today(package: str) -> None:
    drawn = SCRIPT["PICTURES"][package].read_text(encoding="utf-8")
    assert drawn == SCRIPT["drawing"](package), "run `make architecture` and commit docs/images"


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    edges = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert SCRIPT["reduced"](edges) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_package_stands_above_all_that_it_imports() -> None:
    edges = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": set()}
    assert SCRIPT["floors"]("hpo.none", edges) == [["a"], ["b"], ["c", "d"]]


def test_imports_in_a_circle_are_named() -> None:
    with pytest.raises(SystemExit, match="a -> b -> a"):
        SCRIPT["floors"]("hpo.none", {"a": {"b"}, "b": {"a"}})


@pytest.mark.parametrize("package", ["hpo", "hpo.study", "hpo.studyfile"])
def test_the_page_explains_every_package(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for part in SCRIPT["imports"](package):
        assert f"`{part}`" in page or part == "__main__", f"{package}.{part} is missing in docs/architecture.md"
