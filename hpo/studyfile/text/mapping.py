"""A study given as Python values, read like a file; a problem names the key's path."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.errors import Problem
from hpo.yamlfile.document import Node, unwritable
from hpo.yamlfile.limits import MAX_DEPTH
from hpo.yamlfile.report import ProblemReport

STUDY = "study"
"""Name in problems, in place of the file."""


def read_mapping(study: Mapping[str, Any], report: ProblemReport) -> Node | None:
    """Return the document of ``study``; None where it is empty. Values that YAML can't hold go to ``report``."""
    return _node(study, "", 0, report) if study else None


def _node(value: Any, path: str, depth: int, report: ProblemReport) -> Node:
    return Node(_value(value, path, depth, report), STUDY, 0)


def _value(value: Any, path: str, depth: int, report: ProblemReport) -> Any:
    if depth > MAX_DEPTH:
        return report.add(Problem(STUDY, 0, path, f"nested deeper than {MAX_DEPTH} levels"))
    if isinstance(value, Mapping):
        return {str(key): _node(child, _key(path, key), depth + 1, report) for key, child in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_node(child, f"{path}[{index}]", depth + 1, report) for index, child in enumerate(value)]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if callable(getattr(value, "item", None)):  # one of NumPy's numbers
        value = value.item()
    if isinstance(value, str) and (wrong := unwritable(value)):
        return report.add(Problem(STUDY, 0, path, wrong))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    what = f"a {type(value).__name__} has no place in a study: write a plain value"
    return report.add(Problem(STUDY, 0, path, what))


def _key(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
