"""Only ``hpo/study/optuna_internals`` uses private names of Optuna; import contracts can't see names."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

HPO = Path(__file__).parents[2] / "hpo"
ALLOWED = HPO / "study" / "optuna_internals"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def private_uses(source: str, theirs: dict[str, frozenset[str]] | None = None) -> list[str]:
    """Return the uses of Optuna's private names in a module, as ``line: what``.

    ``theirs`` holds, by class of the module, the private names of the Optuna classes that it derives from.
    """
    tree = ast.parse(source)
    found = [*_imports(tree)]
    if not _uses_optuna(tree):
        return found
    found += _attributes(tree)
    for cls in ast.walk(tree):
        if isinstance(cls, ast.ClassDef):
            found += _inherited(cls, (theirs or {}).get(cls.name, frozenset()))
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "optuna":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] == "optuna"]
        else:
            continue
        yield from (f"{node.lineno}: {name}" for name in names if any(map(_is_private, name.split("."))))


def _uses_optuna(tree: ast.Module) -> bool:
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return any(module.partition(".")[0] == "optuna" or module.startswith("hpo.study") for module in modules)


def _attributes(tree: ast.Module) -> Iterator[str]:
    """Return uses of ``x._name`` except for ``self`` and ``cls``, and the same by ``getattr`` and similar functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name) if _is_private(name):
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr"), args=[_, ast.Constant(str(name)), *_]
            ):
                if _is_private(name):
                    yield f"{node.lineno}: {ast.unparse(node)}"
            case _:
                continue


def _inherited(cls: ast.ClassDef, theirs: frozenset[str]) -> Iterator[str]:
    """Return the private names that a class overrides or uses from the Optuna classes that it derives from."""
    for node in ast.walk(cls):
        match node:
            case ast.FunctionDef(name=name) | ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if (
                name in theirs
            ):
                yield f"{node.lineno}: {cls.name} has Optuna's {name}"
            case _:
                continue


def _names_of_bases(module: str) -> dict[str, frozenset[str]]:
    """Return, by class of ``module``, the private names in the sources of those of its bases that are Optuna's."""
    found: dict[str, frozenset[str]] = {}
    for name, cls in inspect.getmembers(importlib.import_module(module), inspect.isclass):
        bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "optuna"]
        names = {
            node.attr if isinstance(node, ast.Attribute) else node.name
            for base in bases
            for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(base))))  # type: ignore[arg-type]
            if isinstance(node, (ast.Attribute, ast.FunctionDef))
        }
        found[name] = frozenset(filter(_is_private, names))
    return found


def test_only_optuna_internals_uses_what_optuna_keeps_private() -> None:
    found = []
    for path in sorted(HPO.rglob("*.py")):
        if ALLOWED in path.parents:
            continue
        source = path.read_text()
        module = ".".join(path.relative_to(HPO.parent).with_suffix("").parts)
        theirs = _names_of_bases(module) if "optuna" in source and "class " in source and "study" in path.parts else {}
        found += [f"{path.relative_to(HPO.parent)}:{use}" for use in private_uses(source, theirs)]
    assert not found, "move these to hpo/study/optuna_internals:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "from optuna.pruners._percentile import x",
        "from optuna._typing import JSONSerializable",
        "from optuna.storages._rdb import models",
        "from optuna.pruners import _percentile",
        "import optuna.storages._rdb.models",
        "import optuna\nprint(trial._trial_id)",
        "import optuna\nstudy._storage.get_trial(1)",
        "import optuna\ngetattr(sampler, '_search_space', None)",
        "from hpo.study.search import sampling\nprint(trial._trial_id)",
        "import optuna\nclass A(optuna.pruners.HyperbandPruner):\n    def f(self): return super()._get_bracket_id(1)",
        "import optuna\nclass A(optuna.pruners.HyperbandPruner):\n    def _get_bracket_id(self): return 1",
        "import optuna\nclass A(optuna.pruners.HyperbandPruner):\n    def prune(self): return self._n_brackets",
    ],
)
def test_the_scan_finds_every_kind_of_private_use(code: str) -> None:
    assert private_uses(code, {"A": frozenset({"_get_bracket_id", "_n_brackets"})})


@pytest.mark.parametrize(
    "code",
    [
        "import optuna\nfrom optuna.trial import create_trial\ncreate_trial().number",
        "import optuna\nclass A:\n    def __init__(self): self._mine = 1\n    def f(self): return self._mine",
        "import optuna\nprint(cls.__name__, optuna.__version__)",
        "import threading\nprint(loader._iterator)",
    ],
)
def test_the_scan_leaves_what_is_public_or_ours(code: str) -> None:
    assert not private_uses(code, {"A": frozenset({"_get_bracket_id"})})
