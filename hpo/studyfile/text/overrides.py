"""``KEY=VALUE`` overrides after a study file: the document with that key set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo.errors import Problem
from hpo.studyfile.keys import words
from hpo.studyfile.schema import StudySpec
from hpo.yamlfile.document import OVERRIDE, Node, parse
from hpo.yamlfile.report import ProblemReport

_NAMED = words(StudySpec)


def apply(root: Node, overrides: Sequence[str], report: ProblemReport) -> Node:
    """Return the document with all overrides set, in order; values are YAML (``space.lr0={low: 1e-4, high: 1e-2}``)."""
    for override in overrides:
        key, equals, text = override.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys):
            report.add(Problem(OVERRIDE, 0, override, "is not KEY=VALUE, such as train.epochs=3"))
            continue
        own = ProblemReport()
        value = parse(text, OVERRIDE, own)
        report.problems += [replace(found, path=f"{key}.{found.path}".removesuffix(".")) for found in own.problems]
        if not own.problems:
            root = _set(root, tuple(keys), (), value or Node(None, OVERRIDE, 0))
    return root


def _set(node: Node, keys: tuple[str, ...], above: tuple[str, ...], value: Node) -> Node:
    if not keys:
        return value
    entries = _as_mapping(node, above)
    if entries is None:  # a list of parts: later ones override
        layer = _set(Node({}, OVERRIDE, 0), keys, above, value)
        layers: Any = node.value if isinstance(node.value, list) else [node]
        return Node([*layers, layer], node.file, node.line)
    first = keys[0]
    child = entries.get(first, Node({}, OVERRIDE, 0))
    changed = _set(child, keys[1:], (*above, first), value)
    if not isinstance(node.value, Mapping):
        return Node({**entries, first: changed}, OVERRIDE, 0)
    return Node({**entries, first: changed}, node.file, node.line)


def _as_mapping(node: Node, above: tuple[str, ...]) -> dict[str, Node] | None:
    """Return the mapping in which a key can be set; None where the node is (or becomes) a list of layers."""
    if isinstance(node.value, Mapping):
        return dict(node.value)
    if above in _NAMED and isinstance(node.value, str):
        return {_NAMED[above]: node}
    if above == ("space",) and node.value is not None:
        return None
    return {}
