"""The check that the installed Ultralytics has the sources that the patches were made for; it is read, not imported."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path

from tests.training.ultralytics_internals.patch_registry import RELEASE, Patch


class Gone(Exception):
    """The target of a patch does not exist."""


def found_digest(target: str) -> str:
    """Return the digest of the target's code, without comments, docstrings and indentation. Raises ``Gone``."""
    file, _, name = target.partition(":")
    source, tree = _parsed(file)
    node: ast.AST = tree
    for part in name.split("."):
        node = _child(node, part, target)
    assert isinstance(node, (ast.FunctionDef, ast.ClassDef))
    text = "\n".join(_code(source, node))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def what_changed(patch: Patch) -> str | None:
    """Describe what is wrong with the patch under the installed Ultralytics, and what to do; None where nothing is."""
    installed = metadata.version("ultralytics")
    try:
        found = found_digest(patch.target)
    except Gone:
        return f"{patch.name}: Ultralytics {installed} has no {patch.target} any more ({patch.reason})"
    if found == patch.digest:
        return None
    return (
        f"{patch.name}: Ultralytics {installed} changed {patch.target} since {RELEASE} ({patch.reason}): compare both, "
        f"change the patch where it has to, then write the digest {found} in patch_registry.py"
    )


@cache
def _parsed(file: str) -> tuple[list[str], ast.Module]:
    spec = importlib.util.find_spec("ultralytics")
    path = Path(str(spec.origin if spec else "")).parent / file
    if not path.is_file():
        raise Gone(file)
    source = path.read_text()
    return source.splitlines(), ast.parse(source)


def _child(node: ast.AST, name: str, target: str) -> ast.AST:
    for child in getattr(node, "body", ()):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)) and child.name == name:
            return child
    raise Gone(target)


def _code(source: list[str], node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    docstrings = {
        line
        for inner in ast.walk(node)
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(inner) is not None
        for line in range(inner.body[0].lineno, (inner.body[0].end_lineno or 0) + 1)
    }
    numbered = range(node.lineno, (node.end_lineno or 0) + 1)
    lines = [source[number - 1].strip() for number in numbered if number not in docstrings]
    return [line for line in lines if line and not line.startswith("#")]
