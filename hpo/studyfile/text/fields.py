"""Readers of a node as the expected value; a misfit becomes a problem with its place and a way out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hpo.errors import Problem
from hpo.studyfile.text.report import nearest
from hpo.yamlfile.document import Node, is_finite, numeric, plain
from hpo.yamlfile.report import ProblemReport

T = TypeVar("T")


@dataclass(frozen=True)
class Field:
    """A node, its place, and the report for its problems."""

    node: Node
    path: str
    report: ProblemReport

    def fail(self, message: str) -> T | None:
        """Report what is wrong, and return None: the value of a field that can't be read."""
        self.report.add(Problem(self.node.file, self.node.line, self.path, message))
        return None

    def key(self, name: str, node: Node) -> Field:
        return Field(node, f"{self.path}.{name}" if self.path else name, self.report)

    @property
    def entries(self) -> dict[str, Field] | None:
        """Return the fields of a mapping, or None where this is none."""
        if not isinstance(self.node.value, Mapping):
            return None
        return {name: self.key(name, node) for name, node in self.node.value.items()}

    @property
    def items(self) -> list[Field] | None:
        """Return the fields of a list, or None where this is none."""
        if not isinstance(self.node.value, Sequence) or isinstance(self.node.value, str):
            return None
        return [Field(node, f"{self.path}[{i}]", self.report) for i, node in enumerate(self.node.value)]


Reader = Callable[[Field], Any]
"""Returns the value, or None after it reported what is wrong."""


def shown(node: Node) -> str:
    """Return a value as a message quotes it, short."""
    value = plain(node)
    text = repr(value) if isinstance(value, str) else "empty" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def mapping(field: Field, readers: Mapping[str, Reader], required: Collection[str] = ()) -> dict[str, Any]:
    """Return the readable entries of a mapping by name; an empty value (``budget:``) counts as missing."""
    entries = field.entries
    if entries is None:
        if field.node.value is not None or required:
            field.fail(f"must be a mapping of names to values, not {shown(field.node)}{nearest('', readers)}")
        return {}
    for name, child in entries.items():
        if name not in readers:
            child.fail(f"unknown key{nearest(name, readers)}")
    for name in required:
        if name not in entries or entries[name].node.value is None:
            Field(field.node, f"{field.path}.{name}".strip("."), field.report).fail("is missing")
    given = {name: child for name, child in entries.items() if name in readers and child.node.value is not None}
    read = {name: readers[name](child) for name, child in given.items()}
    return {name: value for name, value in read.items() if value is not None}


def text(field: Field) -> str | None:
    value = field.node.value
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return field.fail(f"must be a text, not the number {value}: put it in quotes if it is meant as a name")
    return field.fail(f"must be a text, not {shown(field.node)}")


def real(field: Field) -> float | None:
    """Read a finite number; a quoted one counts."""
    found = numeric(field.node.value)
    if found is None:
        return field.fail(f"must be a number, not {shown(field.node)}")
    return float(found) if is_finite(found) else field.fail(f"must be a finite number, not {shown(field.node)}")


def whole(field: Field) -> int | None:
    if isinstance(field.node.value, int) and not isinstance(field.node.value, bool):
        return field.node.value
    found = real(field)
    if found is None:
        return None
    return int(found) if found.is_integer() else field.fail(f"must be a whole number, not {shown(field.node)}")


def flag(field: Field) -> bool | None:
    value = field.node.value
    return value if isinstance(value, bool) else field.fail(f"must be true or false, not {shown(field.node)}")


def at_least(reader: Callable[[Field], T | None], low: float, *, above: bool = False) -> Callable[[Field], T | None]:
    """Return a ``reader`` that refuses numbers below ``low`` (with ``above``: and ``low`` itself)."""

    def read(field: Field) -> T | None:
        value = reader(field)
        if isinstance(value, (int, float)) and (value <= low if above else value < low):
            return field.fail(f"must be {'above' if above else 'at least'} {low:g}, not {shown(field.node)}")
        return value

    return read


def at_most(reader: Callable[[Field], T | None], high: float) -> Callable[[Field], T | None]:
    """Return a ``reader`` that refuses numbers above ``high``."""

    def read(field: Field) -> T | None:
        value = reader(field)
        if isinstance(value, (int, float)) and value > high:
            return field.fail(f"must be at most {high:.12g}, not {shown(field.node)}")
        return value

    return read


def one_of(names: Collection[str]) -> Callable[[Field], str | None]:
    def read(field: Field) -> str | None:
        value = field.node.value
        if isinstance(value, str) and value in names:
            return value
        return field.fail(f"{shown(field.node)} is not among its values{nearest(str(value), names)}")

    return read
