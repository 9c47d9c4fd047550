"""Conversion of a block of keys to plain values and back, for storing, writing and comparing studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from hpo.studyfile.keys import Block, Flag, Form, KeyField, OneOf, Own, Real, Whole, keys_of
from hpo.studyfile.schema import Method
from hpo.studyfile.space import FOLLOWING, Choices, Condition, Dimension, Domain, FloatRange, IntRange, Space
from hpo.trial.kinds import Kind
from hpo.trial.objective import parse

T = TypeVar("T")
Document = dict[str, Any]


def document(block: object) -> Document:
    """Return the keys of ``block`` and their values, without default values of keys that are stored only if given."""
    keys = keys_of(type(block))
    plain: Document = {}
    for each in keys:
        value = getattr(block, each.name)
        if each.key.stored == "always" or value != each.default:
            plain[each.name] = None if value is None else _plain(each, value)
    return _folded(plain, keys)


def from_document(cls: type[T], raw: Document) -> T:
    """Return the value that ``document`` wrote. A key that an older version did not store gets its default."""
    keys = keys_of(cls)
    given = _unfolded(raw, keys)
    values = {
        each.name: None if given[each.name] is None else _value(each, given[each.name])
        for each in keys
        if each.name in given
    }
    return cls(**values)


def plain_default(each: KeyField) -> Any:
    """Return the default of a key as a study file writes it; None where it is not written."""
    return None if each.default is None else _plain(each, each.default)


def _plain(each: KeyField, value: Any) -> Any:
    match each.shape:
        case Whole() | Real() | Flag():
            return value
        case OneOf():
            return str(value)
        case Block():
            return document(value)
        case Own(form):
            return _FORMS[form].write(value)


def _value(each: KeyField, raw: Any) -> Any:
    match each.shape:
        case Whole() | Real() | Flag():
            return raw
        case OneOf(_, make):
            return make(raw)
        case Block(cls):
            return from_document(cls, raw)
        case Own(form):
            return _FORMS[form].read(raw)


def _folded(plain: Document, keys: Iterable[KeyField]) -> Document:
    """Fold keys into a long form, such as ``postprocess: {mode: swept, kinds: [soft]}``."""
    for each in keys:
        inner = {other.called: plain.pop(other.name) for other in keys if _is_in(other, each) and other.name in plain}
        if inner:
            plain[each.name] = {each.key.word or each.name: plain[each.name], **inner}
    return plain


def _unfolded(raw: Document, keys: Iterable[KeyField]) -> Document:
    plain = dict(raw)
    for each in keys:
        long = plain.get(each.name)
        inner = {other.called: other.name for other in keys if _is_in(other, each)}
        if isinstance(long, dict) and inner:
            inner[each.key.word or each.name] = each.name
            plain.update({inner.get(str(name), str(name)): value for name, value in long.items()})
    return plain


def _is_in(inner: KeyField, outer: KeyField) -> bool:
    return inner.key.within == outer.name


def space_entries(space: Space) -> Document:
    """Return the space in the form of a study file, one entry for each name."""
    sampled = {each.name: _entry(each) for each in space.dimensions}
    return {**sampled, **dict(space.fixed)}


def _entry(dimension: Dimension) -> Document:
    domain = {"follows": FOLLOWING} if dimension.follows_optimizer else _domain_document(dimension.domain)
    said = {key: value for key, value in domain.items() if key != "kind" and value is not None and value is not False}
    when = {condition.parent: list(condition.values) for condition in dimension.when}
    return {**said, "when": when} if when else said


def _space_document(space: Space) -> Document:
    return {"dimensions": [_dimension_document(each) for each in space.dimensions], "fixed": dict(space.fixed)}


def _dimension_document(dimension: Dimension) -> Document:
    when = [{"parent": condition.parent, "values": list(condition.values)} for condition in dimension.when]
    follows = {"follows": FOLLOWING} if dimension.follows_optimizer else {}
    return {"name": dimension.name, "when": when, **follows, **_domain_document(dimension.domain)}


def _domain_document(domain: Domain) -> Document:
    match domain:
        case FloatRange():
            return {"kind": "float", **vars(domain)}
        case IntRange(log=log, step=step):
            return {"kind": "int", **vars(domain), "step": None if log else step}
        case Choices(values):
            return {"kind": "choices", "choices": list(values)}


def _space(raw: Document) -> Space:
    return Space(tuple(_dimension(each) for each in raw["dimensions"]), pairs(raw["fixed"]))


def _dimension(raw: Document) -> Dimension:
    when = tuple(Condition(condition["parent"], tuple(condition["values"])) for condition in raw["when"])
    return Dimension(raw["name"], _domain(raw), when, follows_optimizer="follows" in raw)


def _domain(raw: Document) -> Domain:
    match raw["kind"]:
        case "float":
            return FloatRange(raw["low"], raw["high"], raw["log"], raw["step"])
        case "int":
            return IntRange(raw["low"], raw["high"], raw["log"], 1 if raw["log"] else raw["step"])
        case _:
            return Choices(tuple(raw["choices"]))


def _method_document(method: Method) -> Document:
    options = {key: _method_document(value) if isinstance(value, Method) else value for key, value in method.options}
    return {"name": method.name, **options}


def _method(raw: Document) -> Method:
    options = {key: _method(value) if isinstance(value, dict) else value for key, value in raw.items() if key != "name"}
    return Method(raw["name"], pairs(options))


def pairs(raw: Document) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(raw.items()))


class _Codec(NamedTuple):
    """Both conversions of a value with a form of its own; a plain value needs none."""

    write: Callable[[Any], Any] = lambda value: value
    read: Callable[[Any], Any] = lambda raw: raw


_PLAIN, _METHOD = _Codec(), _Codec(_method_document, _method)
_FORMS: dict[Form, _Codec] = {
    **dict.fromkeys(("name", "data", "model"), _PLAIN),
    "names": _Codec(list, tuple),
    "kinds": _Codec(lambda value: [kind.value for kind in value], lambda raw: tuple(Kind(kind) for kind in raw)),
    **dict.fromkeys(("train", "recipe"), _Codec(dict, pairs)),
    "space": _Codec(_space_document, _space),
    "objective": _Codec(lambda value: {"metric": str(value), "goal": "maximize"}, lambda raw: parse(raw["metric"])),
    **dict.fromkeys(("sampler", "pruner"), _METHOD),
    "proposals": _Codec(lambda value: [dict(each) for each in value], lambda raw: tuple(pairs(each) for each in raw)),
}
