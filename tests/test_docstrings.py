"""The public API, every Protocol and the functions of arrays are documented, and ruff holds them to it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
IGNORES: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"][
    "per-file-ignores"
]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef | ast.Module


def _selected() -> dict[str, list[Path]]:
    """The files by each name in the one pattern that keeps ruff's D rules: all other files are free of them."""
    (pattern,) = (pattern for pattern, codes in IGNORES.items() if pattern.startswith("!") and codes == ["D"])
    match = re.fullmatch(r"!(.*)\{(.*)\}(.*)", pattern)
    assert match is not None, pattern
    before, names, after = match.groups()
    return {name: sorted(ROOT.glob(f"{before}{name}{after}".replace("**.py", "**/*.py"))) for name in names.split(",")}


SELECTED = _selected()
PROTOCOLS = sorted(
    path for path in ROOT.glob("hpo/**/*.py") if re.search(r"^class .*\bProtocol\b", path.read_text(), re.MULTILINE)
)
FULL = [path for name in ("deploy", "api/**", "detection/**", "evidence/**") for path in SELECTED[name]]


def _public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{node.name}.")


def _documented(path: Path) -> Iterator[Documented]:
    """What has a docstring that ruff wants, the functions first."""
    tree = ast.parse(path.read_text())
    nodes = [node for _, node in _public(tree.body) if ast.get_docstring(node)]
    yield from (node for node in nodes if isinstance(node, Function))
    yield from (node for node in nodes if isinstance(node, ast.ClassDef))
    yield tree


def _without_docstring(path: Path) -> str:
    lines, first = path.read_text().splitlines(keepends=True), next(_documented(path)).body[0]
    assert first.end_lineno is not None
    return "".join([*lines[: first.lineno - 1], " " * first.col_offset + "...\n", *lines[first.end_lineno :]])


@pytest.mark.parametrize("name", SELECTED)
def test_a_docstring_that_is_removed_fails_the_check(name: str, tmp_path: Path) -> None:
    path = SELECTED[name][-1]
    copy = tmp_path / path.relative_to(ROOT)
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    copy.write_text(_without_docstring(path))
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json", "."]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    found = [each["code"] for each in json.loads(done.stdout) if each["code"].startswith("D")]
    assert done.returncode == 1, done.stderr
    assert [re.sub(r"\d\d$", "", code) for code in found] == ["D1"], found


def test_every_file_that_holds_a_protocol_is_checked() -> None:
    checked = {path for paths in SELECTED.values() for path in paths}
    assert PROTOCOLS
    assert [path for path in PROTOCOLS if path not in checked] == []


def _protocol_methods() -> Iterator[tuple[str, Function]]:
    for path in PROTOCOLS:
        for name, node in _functions(path):
            if name.split(".")[0] in _protocols(path):
                yield f"{path.stem}.{name}", node


def _protocols(path: Path) -> set[str]:
    classes = [node for _, node in _public(ast.parse(path.read_text()).body) if isinstance(node, ast.ClassDef)]
    return {node.name for node in classes if any("Protocol" in ast.unparse(base) for base in node.bases)}


def _functions_of_the_api() -> Iterator[tuple[str, Function]]:
    for path in FULL:
        yield from ((f"{path.stem}.{name}", node) for name, node in _functions(path))


def _functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Public functions and methods; one that overrides another is described there."""
    for name, node in _public(ast.parse(path.read_text()).body):
        if isinstance(node, Function) and "override" not in map(ast.unparse, node.decorator_list):
            yield name, node


def _unsaid(function: Function) -> list[str]:
    """Sections that the docstring lacks, and arguments that it does not name. A property has none."""
    text = ast.get_docstring(function) or ""
    if any("property" in ast.unparse(each) for each in function.decorator_list):
        return [] if text else ["docstring"]
    own = function.args
    names = [each.arg for each in (*own.posonlyargs, *own.args, *own.kwonlyargs) if each.arg not in ("self", "cls")]
    lacking = [name for name in names if not re.search(rf"^ +{name}: ", text, re.MULTILINE)]
    nothing = ("None", "object", "Iterator[None]")  # a caller makes no use of an ``object``
    gives = function.returns is not None and ast.unparse(function.returns) not in nothing
    return lacking + ["Returns"] * (gives and not re.search(r"^(Returns|Yields):", text, re.MULTILINE))


SAID = dict([*_protocol_methods(), *_functions_of_the_api()])


@pytest.mark.parametrize("name", SAID)
def test_every_argument_and_result_is_described(name: str) -> None:
    assert _unsaid(SAID[name]) == []
