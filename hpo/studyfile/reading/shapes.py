"""Readers of keys by their definition: a reader for a shape, and for a block of keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hpo.studyfile.keys import Block, Flag, Form, KeyField, Limit, OneOf, Own, Real, Whole, keys_of
from hpo.studyfile.text import fields
from hpo.studyfile.text.fields import Field, Reader, at_least, at_most

Forms = Mapping[Form, Reader]
"""The reader of each value that has a form of its own."""


def readers(keys: tuple[KeyField, ...], forms: Forms) -> dict[str, Reader]:
    """Return one reader for each key, by name."""
    return {each.called: reader(each, forms) for each in keys}


def reader(each: KeyField, forms: Forms) -> Reader:
    match each.shape:
        case Whole(low, high, below):
            return at_most(_below(at_least(fields.whole, low), below), high)
        case Real(bound, above, high):
            return at_most(at_least(fields.real, bound, above=above), high)
        case Flag():
            return fields.flag
        case OneOf(names, make):
            return _made(fields.one_of(names), make)
        case Block(cls):
            return _block(cls, forms)
        case Own(form):
            return forms[form]


def _block(cls: type[Any], forms: Forms) -> Reader:
    """Read a mapping with the block's keys; an empty one gives the defaults."""

    def read(place: Field) -> Any:
        return cls(**fields.mapping(place, readers(keys_of(cls), forms)))

    return read


def _made(named: Callable[[Field], str | None], make: Callable[[str], Any]) -> Reader:
    def read(place: Field) -> Any:
        name = named(place)
        return None if name is None else make(name)

    return read


def _below(whole: Callable[[Field], int | None], limit: Limit | None) -> Reader:
    def read(place: Field) -> int | None:
        value = whole(place)
        if value is not None and limit is not None and value >= limit.value:
            return place.fail(f"must be below {limit.text}, not {value}")
        return value

    return read


def long_form(outer: KeyField, inner: tuple[KeyField, ...], forms: Forms) -> Callable[[Field], Mapping[str, Any]]:
    """Read ``swept`` or ``{mode: swept, kinds: [soft]}``: the values by name, the word under the outer key's own."""
    word, named = reader(outer, forms), outer.key.word or outer.name
    names = {named: outer.name, **{each.called: each.name for each in inner}}

    def read(place: Field) -> dict[str, Any]:
        if place.entries is None:
            said = word(place)
            return {} if said is None else {outer.name: said}
        given = fields.mapping(place, {named: word, **readers(inner, forms)})
        return {names[name]: value for name, value in given.items()}

    return read
