"""YAML text as plain values that know their file and line.

Numbers are YAML 1.2's (``1e-4`` is one; PyYAML would read it as text). Values are built here from ruamel's node graph
rather than by its constructor. This keeps a line for every value, reports every duplicate key, and bounds the expansion
of aliases.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from hpo.errors import Problem
from hpo.trial.vocabulary import Scalar
from hpo.yamlfile import limits
from hpo.yamlfile.limits import MAX_DEPTH, MAX_VALUES
from hpo.yamlfile.report import ProblemReport

OVERRIDE = "override"

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset({"null", "bool", "int", "float", "str", "timestamp", "merge"})
_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_UNWRITABLE = re.compile(r"[\0\ud800-\udc7f\udd00-\udfff]")
"""Characters that no file and no file's name can hold; those from dc80 to dcff stand for bytes that are not UTF-8."""
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Node:
    """A value of the document."""

    value: Scalar | Mapping[str, Node] | Sequence[Node]
    file: str
    line: int
    """Line of the value, or of its key where it has one, from 1; 0 in an override."""


def read_document(path: Path, report: ProblemReport, *, shown_as: str | None = None) -> Node | None:
    """Return the document of a file, or None with the problems in ``report``."""
    file = shown_as or str(path)
    try:
        text = limits.read_text(path)
    except limits.Unreadable as error:
        report.add(Problem(file, 0, "", str(error)))
        return None
    return parse(text, file, report)


def parse(text: str, file: str, report: ProblemReport) -> Node | None:
    """Return the document as nodes; None where there is none or its syntax is broken (the problem is in ``report``)."""
    if wrong := limits.refusal(text):
        report.add(Problem(file, 0, "", wrong))
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ReusedAnchorWarning)  # ruamel would print it, with the file's text
            root = YAML(typ="rt").compose(text)
    except ReusedAnchorWarning:
        report.add(Problem(file, 0, "", "not YAML: an anchor (&name) is given twice: use another name"))
    except RecursionError:
        report.add(Problem(file, 0, "", "nested too deeply"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark and file != OVERRIDE else 0
        report.add(Problem(file, line, "", f"not YAML: {error.problem or error.context}"))
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        # ruamel 0.19 fails on some broken texts with plain errors of its scanner rather than with its own
        report.add(Problem(file, 0, "", f"not YAML: {str(error).splitlines()[0] if str(error) else 'broken syntax'}"))
    else:
        return None if root is None else _Builder(file, report).build(root)
    return None


class _TooMuch(Exception):
    pass


class _Builder:
    def __init__(self, file: str, report: ProblemReport) -> None:
        self._file = file
        self._report = report
        self._values = 0
        self._above: list[int] = []

    def build(self, root: Any) -> Node | None:
        try:
            return self._node(root, self._line(root), "")
        except _TooMuch as error:
            self._report.add(Problem(self._file, 0, "", str(error)))
            return None

    def _line(self, node: Any) -> int:
        return 0 if self._file == OVERRIDE else node.start_mark.line + 1

    def _node(self, node: Any, line: int, path: str) -> Node:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _TooMuch(f"more than {MAX_VALUES} values (an alias counts where it is used)")
        if id(node) in self._above:
            raise _TooMuch(f"{path}: an alias that contains itself")
        if len(self._above) >= MAX_DEPTH:
            raise _TooMuch(f"{path}: nested deeper than {MAX_DEPTH} levels")
        self._above.append(id(node))
        try:
            return Node(self._value(node, path), self._file, line)
        finally:
            self._above.pop()

    def _value(self, node: Any, path: str) -> Scalar | Mapping[str, Node] | Sequence[Node]:
        tag = str(node.tag or "")
        if isinstance(node, MappingNode) and tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and tag == f"{_TAG}seq":
            return [self._node(item, self._line(item), f"{path}[{i}]") for i, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and tag.removeprefix(_TAG) in _SCALARS:
            text = joined(node.value)
            if wrong := unwritable(text):
                self._report.add(Problem(self._file, self._line(node), path, wrong))
                return None
            return scalar(text, tag.removeprefix(_TAG))
        self._report.add(Problem(self._file, self._line(node), path, f"the tag {tag} has no meaning here: remove it"))
        return None

    def _mapping(self, node: Any, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            line = self._line(key)
            if not isinstance(key, ScalarNode):
                self._report.add(Problem(self._file, line, path, "a key must be a plain name"))
                continue
            name = joined(str(key.value))
            if wrong := unwritable(name):
                self._report.add(Problem(self._file, line, path, f"a key {wrong}"))
                continue
            inner = f"{path}.{name}" if path else name
            if name in entries:
                first = entries[name].line
                before = f" (first in line {first})" if first else ""
                self._report.add(Problem(self._file, line, inner, f"given twice{before}: keep one"))
                continue
            entries[name] = self._node(value, line, inner)
        return entries


def plain(node: Node) -> Any:
    """Return the value without places."""
    if isinstance(node.value, Mapping):
        return {name: plain(child) for name, child in node.value.items()}
    if isinstance(node.value, Sequence) and not isinstance(node.value, str):
        return [plain(child) for child in node.value]
    return node.value


def joined(text: str) -> str:
    """Return ``text`` with one character for each pair of surrogates, which ruamel makes of JSON's escapes."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def unwritable(text: str) -> str:
    """Describe a character that can't be written to a file; empty where there is none."""
    found = _UNWRITABLE.search(text)
    return "" if found is None else f"has the character {found[0]!r}, which can't be written: leave it out"


def scalar(text: str, kind: str) -> Scalar:
    """Read a YAML 1.2 scalar; text that has another meaning in other versions (dates) stays text."""
    match kind:
        case "null":
            return None
        case "bool" if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case "int":
            return _whole(text)
        case "float":
            return number(text) if number(text) is not None else text
        case _:
            return text


def _whole(text: str) -> int | str:
    digits = text.replace("_", "").lower()
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.removeprefix("+"))
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    try:
        return sign * int(digits if base == 10 else digits[2:], base)
    except ValueError:  # or the number has more digits than Python converts
        return text


def number(text: str) -> float | None:
    """Return the number that a text spells (``1e-4``, ``-.5``, ``1_000``, ``.inf``), or None."""
    if text.lower().lstrip("+-") in {".inf", ".nan"}:
        return float(text.lower().replace(".", ""))
    return float(text.replace("_", "")) if _NUMBER.fullmatch(text) else None


def numeric(value: object) -> float | None:
    """Return a number, or the number that a text spells (PyYAML writes ``1e-4`` in quotes); None for other values."""
    found = number(value) if isinstance(value, str) else value
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False
