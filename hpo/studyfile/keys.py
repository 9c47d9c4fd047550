"""The definition of a key of a study file, given once at its field in ``hpo.studyfile.schema``.

Reading, both ways of writing, the JSON Schema and the table in docs/study-file.md are derived from it. The values here
are named tuples: making a frozen dataclass takes a millisecond, and every command that reads a study would pay it nine
times.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, field, fields
from enum import StrEnum
from types import NoneType
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

T = TypeVar("T")

Form = Literal[
    "name", "names", "data", "model", "train", "space", "objective", "sampler", "pruner", "proposals", "kinds", "recipe"
]
"""Values with their own reading, writing and description."""


class Limit(NamedTuple):
    """An upper bound, exclusive, and its name in messages."""

    value: int
    text: str


class Key(NamedTuple):
    """What the definition of a key says beside its type and its default."""

    doc: str
    """One or two sentences for the editor and for docs/study-file.md."""
    example: Any = None
    """Example in a study file's own form. A block of keys uses those of its keys."""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: Limit | None = None
    form: Form | None = None
    """Form of the value, where the type alone does not say how to read and write it."""
    word: str | None = None
    """Name of the word in the key's long form, where the key may be written as one word."""
    within: str | None = None
    """Name of the key with a long form that this one belongs to."""
    called: str = ""
    """Name of the key in a study file, where it is not that of the field."""
    otherwise: str = ""
    """Effect where the key is not written, in words; empty where the field's default shows it."""
    required: bool = False
    """Whether the key must be written although its field has a default; without a default it always must."""
    stored: Literal["always", "given"] = "always"
    """Whether a key at its default is stored. A key that was added later is not: older texts stay as they are."""


def key(default: T, doc: str, example: Any = None, **facts: Any) -> T:
    """Make a field a key; ``facts`` are further fields of ``Key``.

    As with ``dataclasses.field``, the result is typed as the default, so that this is checked against the annotation.
    """
    return field(default=default, metadata=key_metadata(doc, example, **facts))


def key_metadata(doc: str, example: Any, **facts: Any) -> dict[str, Key]:
    """Return the metadata that make a field a key. Only a key without a default uses them itself."""
    return {"key": Key(doc, example, **facts)}


class Whole(NamedTuple):
    """A whole number between two bounds; the upper one has a name where it needs a reason."""

    at_least: float
    at_most: float
    below: Limit | None


class Real(NamedTuple):
    """A number at least, or above, a bound, and at most another."""

    bound: float
    above: bool
    """Whether ``bound`` itself is excluded."""
    at_most: float


class Flag(NamedTuple):
    """``true`` or ``false``."""


class OneOf(NamedTuple):
    """One of several names."""

    names: tuple[str, ...]
    make: type[str]
    """``str``, or the enumeration of the names."""


class Block(NamedTuple):
    """A mapping with keys of its own."""

    cls: type[Any]


class Own(NamedTuple):
    """A value with its own reading and writing."""

    form: Form


Shape = Whole | Real | Flag | OneOf | Block | Own


class KeyField(NamedTuple):
    """A key as its field defines it."""

    name: str
    key: Key
    shape: Shape
    required: bool
    default: Any
    """Default of the field; None for a required one."""

    @property
    def called(self) -> str:
        """Return the key's name in a study file."""
        return self.key.called or self.name

    @property
    def example(self) -> Any:
        if isinstance(self.shape, Block) and self.key.example is None:
            return {inner.name: inner.example for inner in keys_of(self.shape.cls)}
        return self.key.example


def keys_of(cls: type[Any]) -> tuple[KeyField, ...]:
    """Return the keys of a block in the order of its fields, including those of a long form."""
    if cls not in _KNOWN:
        _KNOWN[cls] = tuple(_resolved(each, each.metadata["key"]) for each in fields(cls) if "key" in each.metadata)
    return _KNOWN[cls]


_KNOWN: dict[type[Any], tuple[KeyField, ...]] = {}


def words(cls: type[Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Return the keys that may be written as one word: path -> name of the word in the long form."""
    found: dict[tuple[str, ...], str] = {}
    for each in keys_of(cls):
        path = (*above, each.name)
        if each.key.word is not None:
            found[path] = each.key.word
        if isinstance(each.shape, Block):
            found.update(words(each.shape.cls, path))
    return found


def _resolved(each: Field[Any], key: Key) -> KeyField:
    missing = each.default is MISSING
    return KeyField(each.name, key, _shape(each.type, key), missing or key.required, None if missing else each.default)


def _shape(kind: Any, key: Key) -> Shape:
    if key.form is not None:
        return Own(key.form)
    if NoneType in get_args(kind):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return OneOf(get_args(kind), str)
    if issubclass(kind, StrEnum):
        return OneOf(tuple(member.value for member in kind), kind)
    if kind not in (bool, int, float):
        return Block(kind)
    return Flag() if kind is bool else _number(kind, key)


def _number(kind: type[int | float], key: Key) -> Shape:
    bound = key.at_least if key.above is None else key.above
    most = key.below.value - 1 if key.below is not None else key.at_most
    if bound is None or most is None:
        raise TypeError(f"{key.doc} A number needs both its bounds")
    return Whole(bound, most, key.below) if kind is int else Real(bound, key.above is not None, most)
