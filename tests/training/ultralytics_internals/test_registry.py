"""Each patch was made for one source of Ultralytics; with another source the test fails and names the patch."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.ultralytics_internals import digests
from tests.training.ultralytics_internals.digests import Gone, found_digest, what_changed
from tests.training.ultralytics_internals.patch_registry import PATCHES, RELEASE, Patch

ROOT = Path(__file__).parents[3]
INTERNALS = ROOT / "hpo" / "training" / "ultralytics_internals"
SUBCLASSES = ("candidates", "capture", "predictor", "runs", "yolo")
"""Modules with classes that derive from Ultralytics'."""


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)
def test_ultralytics_is_as_the_patch_knows_it(patch: Patch) -> None:
    changed = what_changed(patch)
    assert changed is None, changed


def test_patches_have_different_names_and_targets() -> None:
    assert len({patch.name for patch in PATCHES}) == len({patch.target for patch in PATCHES}) == len(PATCHES)


def test_the_release_of_the_digests_is_the_pinned_one() -> None:
    assert f'"ultralytics=={RELEASE}"' in (ROOT / "pyproject.toml").read_text()


def test_another_source_is_told_with_the_way_on_and_one_that_is_gone_too() -> None:
    known = PATCHES[0]
    changed = what_changed(Patch(known.name, known.target, known.reason, "0" * 16))
    assert changed is not None
    assert known.name in changed
    assert known.digest in changed
    gone = what_changed(Patch("old", "utils/nms.py:no_such_function", "it was there", ""))
    assert gone is not None
    assert "has no utils/nms.py:no_such_function any more" in gone
    with pytest.raises(Gone):
        found_digest("no/such_file.py:f")


def test_comments_and_docstrings_change_no_digest() -> None:
    def code(source: str) -> list[str]:
        function = ast.parse(source).body[0]
        assert isinstance(function, ast.FunctionDef)
        return digests._code(source.splitlines(), function)

    plain = "def f(x):\n    return x\n"
    assert code('def f(x):\n    """Says\n    more."""\n    # why\n\n    return x\n') == code(plain)
    assert code("def f(x):\n    return -x\n") != code(plain)


@pytest.mark.usefixtures("ultralytics")
def test_every_method_of_ultralytics_that_is_overridden_is_registered() -> None:
    overridden = {
        target
        for name in SUBCLASSES
        for _, cls in inspect.getmembers(
            importlib.import_module(f"hpo.training.ultralytics_internals.{name}"), inspect.isclass
        )
        if cls.__module__.startswith("hpo.")
        for target in _overridden(cls)
    }
    assert overridden
    assert overridden <= {patch.target for patch in PATCHES}


def _overridden(cls: type) -> Iterator[str]:
    theirs = [base for base in cls.__mro__ if base.__module__.startswith("ultralytics.")]
    for name in vars(cls):
        owner = next((base for base in theirs if name in vars(base)), None)
        if owner is not None and not name.startswith("__"):
            file = owner.__module__.removeprefix("ultralytics.").replace(".", "/")
            yield f"{file}.py:{owner.__qualname__}.{name}"


def test_only_ultralytics_internals_imports_more_than_the_public_names() -> None:
    public = {"ultralytics", "ultralytics.YOLO", "ultralytics.__version__"}
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "hpo").rglob("*.py"))
        if INTERNALS not in path.parents
        for name in _imported(ast.parse(path.read_text()))
        if name.partition(".")[0] == "ultralytics" and name not in public
    ]
    assert not found, "move these to hpo/training/ultralytics_internals:\n" + "\n".join(found)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_what_is_assigned_into_ultralytics_is_assigned_in_ultralytics_internals_alone() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "hpo").rglob("*.py"))
        if INTERNALS not in path.parents and any(map(_is_patched, ast.walk(ast.parse(path.read_text()))))
    ]
    assert found == []


def _is_patched(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Attribute) and "ultralytics" in ast.unparse(target) for target in targets)
