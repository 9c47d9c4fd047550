"""The definition of a key of a study file, given once at its field in ``hpo.studyfile.schema``.

Reading, both ways of writing, the JSON Schema and the table in docs/study-file.md are derived from it. The values here
are named tuples: making a frozen dataclass takes a millisecond, and every command that reads a study would pay it nine
times.
"""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

Form = Literal[
    "name", "names", "data", "model", "train", "space", "objective", "sampler", "pruner", "proposals", "kinds"
]
"""Values with their own reading, writing and description."""


class Limit(NamedTuple):
    """An upper bound, exclusive, and its name in messages."""

    value: int
    text: str


class Key(NamedTuple):
    """``Annotated[int, Key(...)]`` makes a field a key. The type says what is read; this says the rest."""

    doc: str
    """One or two sentences for the editor and for docs/study-file.md."""
    example: Any = None
    """Example in a study file's own form. A block of keys uses those of its keys."""
    at_least: float | None = None
    above: float | None = None
    below: Limit | None = None
    form: Form | None = None
    """Form of the value, where the type alone does not say how to read and write it."""
    word: str | None = None
    """Name of the word in the key's long form, where the key may be written as one word."""
    within: str | None = None
    """Name of the key with a long form that this one belongs to."""
    otherwise: str = ""
    """Effect where the key is not written, in words; empty where the field's default shows it."""
    required: bool = False
    """Whether the key must be written although its field has a default; without a default it always must."""
    stored: Literal["always", "given"] = "always"
    """Whether a key at its default is stored. A key that was added later is not: older texts stay as they are."""


class Whole(NamedTuple):
    """A whole number from a bound up."""

    at_least: float
    below: Limit | None


class Real(NamedTuple):
    """A finite number at least, or above, a bound."""

    bound: float
    above: bool
    """Whether ``bound`` itself is excluded."""


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
    def example(self) -> Any:
        if isinstance(self.shape, Block) and self.key.example is None:
            return {inner.name: inner.example for inner in keys_of(self.shape.cls)}
        return self.key.example


def keys_of(cls: type[Any]) -> tuple[KeyField, ...]:
    """Return the keys of a block in the order of its fields, including those of a long form."""
    if cls not in _KNOWN:
        _KNOWN[cls] = _read(cls)
    return _KNOWN[cls]


_KNOWN: dict[type[Any], tuple[KeyField, ...]] = {}


def _read(cls: type[Any]) -> tuple[KeyField, ...]:
    return tuple(_resolved(field) for field in dataclasses.fields(cls) if get_origin(field.type) is Annotated)


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


def _resolved(field: dataclasses.Field[Any]) -> KeyField:
    kind, key = get_args(field.type)[:2]
    missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = field.default if field.default is not dataclasses.MISSING else None
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return KeyField(field.name, key, _shape(kind, key), missing or key.required, default)


def _shape(kind: Any, key: Key) -> Shape:
    if key.form is not None:
        return Own(key.form)
    plain = (
        next((part for part in get_args(kind) if part is not NoneType), kind) if NoneType in get_args(kind) else kind
    )
    if get_origin(plain) is Literal:
        return OneOf(get_args(plain), str)
    if issubclass(plain, StrEnum):
        return OneOf(tuple(member.value for member in plain), plain)
    return _simple(plain, key) if plain in (bool, int, float) else Block(plain)


def _simple(kind: type[Any], key: Key) -> Shape:
    bound = key.at_least if key.above is None else key.above
    if kind is bool:
        return Flag()
    if bound is None:
        raise TypeError(f"{key.doc} A number needs its bound")
    return Whole(bound, key.below) if kind is int else Real(bound, key.above is not None)
