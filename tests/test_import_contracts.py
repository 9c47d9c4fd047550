"""Each import contract of pyproject.toml has an effect: if a copy of ``hpo/`` breaks it, lint-imports names it."""

from __future__ import annotations

import os
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
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
PROGRAM = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "hpo", folder / "hpo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _lines(contract: dict[str, Any]) -> dict[str, str]:
    """Return the lines that break the contract, by module of the copy, new or known."""
    match contract["type"]:
        case "layers":
            return dict(_upwards(contract))
        case "protected":
            modules = contract["protected_modules"]
            return {_outside(contract["allowed_importers"]): "".join(f"import {module}\n" for module in modules)}
        case "acyclic_siblings":
            parent = _package(contract["ancestors"][0])
            return {f"{parent}.first": f"import {parent}.second\n", f"{parent}.second": f"import {parent}.first\n"}
        case "forbidden":
            return {f"{contract['source_modules'][0]}.breaks": f"import {contract['forbidden_modules'][0]}\n"}
        case "independence":
            first, second, *_ = contract["modules"]
            return {f"{first}.breaks": f"import {second}\n"}
        case other:
            raise AssertionError(
                f"contract {contract['name']!r}: no way is known to break the type {other}; add it here"
            )


def _upwards(contract: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Make the lowest layer import the highest one."""
    prefix = f"{contract['containers'][0]}." if contract.get("containers") else ""
    highest, lowest = (re.findall(r"\w+(?:\.\w+)*", contract["layers"][place])[0] for place in (0, -1))
    yield f"{prefix}{lowest}", f"import {prefix}{highest}\n"


def _outside(allowed: list[str]) -> str:
    """Return a module of ours in a package that may not import the library."""
    packages = sorted(path.parent.name for path in (ROOT / "hpo").glob("*/__init__.py"))
    others = (f"hpo.{name}.breaks" for name in packages)
    return next(module for module in others if not any(_is_within(module, name) for name in allowed))


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _package(name: str) -> str:
    """Return ``name``, or the first package in it without further packages, so that no other contract breaks."""
    folder = ROOT.joinpath(*name.split("."))
    inner = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    return _package(f"{name}.{inner[0]}") if inner else name


def _lint(folder: Path) -> tuple[int, dict[str, str], str]:
    """Return the exit code, the verdict by contract, and the output."""
    environ = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environ, check=False, capture_output=True, text=True
    )
    verdicts = re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)
    return done.returncode, dict(verdicts), done.stdout + done.stderr


def test_the_copy_as_it_stands_keeps_every_contract(copy: Path) -> None:
    code, verdicts, output = _lint(copy)
    assert code == 0, output
    assert verdicts == {contract["name"]: "KEPT" for contract in CONTRACTS}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["name"])
def test_a_broken_contract_is_named(copy: Path, contract: dict[str, Any]) -> None:
    changed: dict[Path, str | None] = {}
    try:
        for module, lines in _lines(contract).items():
            path = _file(copy, module)
            changed[path] = path.read_text() if path.exists() else None
            path.write_text((changed[path] or "") + lines)
        code, verdicts, output = _lint(copy)
    finally:
        for path, before in changed.items():
            path.unlink() if before is None else path.write_text(before)
    assert code != 0
    assert verdicts[contract["name"]] == "BROKEN", output
    for imported in re.findall(r"import (\S+)", "".join(_lines(contract).values())):
        assert imported in output or f".{imported.rpartition('.')[2]}" in output, output


def _file(copy: Path, module: str) -> Path:
    path = copy.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
