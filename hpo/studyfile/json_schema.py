"""The JSON Schema of a study file, with which an editor completes and checks one.

The schema describes the form of values; the loader gives them their meaning. Names and bounds come from the tables that
the loader reads, so that the two always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from hpo.studyfile.arguments import arguments
from hpo.studyfile.documents import plain_default
from hpo.studyfile.keys import Block, Flag, Form, KeyField, OneOf, Own, Real, Whole, keys_of
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import MethodRow
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.reading.forms import KINDS
from hpo.studyfile.reading.ranges import DISTRIBUTIONS, RANGE_KEYS
from hpo.studyfile.schema import NAME, StudySpec
from hpo.studyfile.space import FOLLOWING
from hpo.trial.objective import GRAMMAR
from hpo.trial.vocabulary import Metric

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number"}
_SCALAR: Schema = {"type": ["number", "string", "boolean", "null"]}
_NAME: Schema = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_GOAL: Schema = {"const": "maximize", "description": "Every metric is better when larger.", "examples": ["maximize"]}
_TYPES = {"whole": "integer", "real": "number", "fraction": "number", "flag": "boolean", "text": "string"}


def json_schema() -> Schema:
    """Return the schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hpo study",
        **_block(StudySpec),
        "$defs": {"range": _range()},
    }


def _block(cls: type[Any]) -> Schema:
    keys = keys_of(cls)
    properties = {each.name: _key(each, keys) for each in keys if each.key.within is None}
    return _closed(properties, [each.name for each in keys if each.required])


def _key(each: KeyField, keys: tuple[KeyField, ...]) -> Schema:
    """Return the values that a key takes, and the text that an editor shows."""
    inner = {other.called: _key(other, keys) for other in keys if other.key.within == each.name}
    shape = _shape(each)
    if inner:
        word = {**shape, "description": each.key.doc, "examples": [each.example]}
        shape = {"anyOf": [shape, _closed({each.key.word or each.name: word, **inner})]}
    usual = None if each.key.otherwise or each.required or isinstance(each.shape, Block) else plain_default(each)
    default = {} if usual is None else {"default": usual}
    return {**shape, "description": each.key.doc, "examples": [each.example], **default}


def _shape(each: KeyField) -> Schema:
    match each.shape:
        case Whole(low, high, below):
            upper = {"maximum": high} if below is None else {"exclusiveMaximum": below.value}
            return {"type": "integer", "minimum": low, **upper}
        case Real(bound, above, high):
            return {"type": "number", "exclusiveMinimum" if above else "minimum": bound, "maximum": high}
        case Flag():
            return {"type": "boolean"}
        case OneOf(names):
            return {"enum": list(names)}
        case Block(cls):
            return _block(cls)
        case Own(form):
            return _forms()[form]


@cache
def _forms() -> dict[Form, Schema]:
    train = _closed({name: _argument(name) for name in sorted(arguments.trainable())})
    metric, part = _objective(), {"anyOf": [{"type": "string", "description": "a file of configs/spaces"}, _space()]}
    return {
        "name": _NAME,
        "names": {"type": "array", "items": _NAME},
        "data": {"type": "string"},
        "model": {"type": "string", "pattern": r"\.(pt|yaml|yml)$"},
        **dict.fromkeys(("train", "recipe"), train),
        "space": {"anyOf": [{"type": "string"}, _space(), {"type": "array", "items": part}]},
        "objective": {"anyOf": [metric, _closed({"metric": metric, "goal": _GOAL}, ["metric"])]},
        "sampler": _method(SAMPLERS),
        "pruner": _method(PRUNERS),
        "proposals": {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR}},
        "kinds": {"type": "array", "items": {"enum": list(KINDS)}, "minItems": 1},
    }


def _closed(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    closed: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**closed, "required": required} if required else closed


def _objective() -> Schema:
    metrics = [metric.value for metric in Metric]
    pattern = rf"^(f[0-9]+(\.[0-9]+)?|{'|'.join(metrics)})( (micro|macro))?( at .+)?$"
    spelled = {"type": "string", "pattern": pattern, "description": GRAMMAR}
    return {"anyOf": [{"enum": metrics}, spelled], "description": GRAMMAR, "examples": ["f1"]}


def _argument(name: str) -> Schema:
    default = arguments.defaults()[name]
    usual = "" if default is None else f" (default: {default})"
    described = f"Ultralytics: {arguments.comments().get(name, 'a training argument')}{usual}"
    return {**_argument_type(name), "description": described, "examples": [default]}


def _argument_type(name: str) -> Schema:
    kind = arguments.kind(name)
    schema: Schema = {"type": _TYPES[kind]} if kind in _TYPES else {}
    if name == "optimizer":
        schema["enum"] = [*arguments.OPTIMIZERS, "auto"]
    if name == "scale":
        return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "array", "items": _NUMBER}]}
    low, high = arguments.lowest(name), arguments.highest(name)
    if low is not None:
        schema["minimum"] = low
    if high is not None:
        schema["maximum"] = high
    return schema


def _space() -> Schema:
    return _closed({name: {"$ref": "#/$defs/range"} for name in sorted(arguments.sampleable() - {"epochs", "seed"})})


def _range() -> Schema:
    epochs = {"type": "number", "minimum": 0, "description": "A share of `train.epochs`.", "examples": [0.3]}
    at_most = {"type": "number", "minimum": 0, "description": "But not more than this.", "examples": [10]}
    share = _closed({"epochs": epochs, "at_most": at_most}, ["epochs"])
    bound = {"anyOf": [_NUMBER, share]}
    when = {"type": "object", "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}}
    several = {"type": "array", "items": _SCALAR, "minItems": 2}
    shapes: dict[str, Schema] = {
        **dict.fromkeys(("low", "high", "min", "max"), bound),
        "log": {"type": "boolean"},
        "step": {"type": "number", "exclusiveMinimum": 0},
        **dict.fromkeys(("choices", "values"), several),
        "value": _SCALAR,
        "distribution": {"enum": list(DISTRIBUTIONS)},
        "when": when,
        "follows": {"enum": [FOLLOWING]},
        "sampled": {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
    }
    keys = {
        name: {**shapes[name], "description": doc, "examples": [example]} for name, (doc, example) in RANGE_KEYS.items()
    }
    pair = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2, "description": "[low, high]"}
    return {"anyOf": [_SCALAR, pair, _closed(keys)]}


def _method(known: Mapping[str, MethodRow]) -> Schema:
    return {"anyOf": [{"enum": list(known)}, *(_long_form(name, row) for name, row in known.items())]}


def _long_form(name: str, row: MethodRow) -> Schema:
    options = {option: {"description": f"Of Optuna's {row.optuna}."} for option in row.options}
    return _closed({"name": {"const": name}, **options}, ["name", *row.required])
