"""The JSON Schema of a study file, with which an editor completes and checks one.

The schema describes the form of values; the loader gives them their meaning. Names and bounds come from the tables that
the loader reads, so that the two always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from hpo.trial.objective import GRAMMAR
from hpo.trial.vocabulary import Metric

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number"}
_SCALAR: Schema = {"type": ["number", "string", "boolean", "null"]}
_NAME: Schema = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_TYPES: dict[str, Schema] = {
    "whole": {"type": "integer"},
    "real": {"type": "number"},
    "fraction": {"type": "number"},
    "flag": {"type": "boolean"},
    "text": {"type": "string"},
    "special": {},
}


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
    inner = {other.name: _key(other, keys) for other in keys if other.key.within == each.name}
    shape = _shape(each)
    if inner:
        word = {**shape, "description": each.key.doc, "examples": [each.example]}
        shape = {"anyOf": [shape, _closed({each.key.word or each.name: word, **inner})]}
    usual = None if each.key.otherwise or each.required or isinstance(each.shape, Block) else plain_default(each)
    default = {} if usual is None else {"default": usual}
    return {**shape, "description": each.key.doc, "examples": [each.example], **default}


def _shape(each: KeyField) -> Schema:
    match each.shape:
        case Whole(low, below):
            upper = {} if below is None else {"exclusiveMaximum": below.value}
            return {"type": "integer", "minimum": low, **upper}
        case Real(bound, above):
            return {"type": "number", "exclusiveMinimum" if above else "minimum": bound}
        case Flag():
            return {"type": "boolean"}
        case OneOf(names):
            return {"enum": list(names)}
        case Block(cls):
            return _block(cls)
        case Own(form):
            return _form(form)


def _form(form: Form) -> Schema:  # noqa: C901, PLR0911  (a line a form)
    match form:
        case "name":
            return _NAME
        case "names":
            return {"type": "array", "items": _NAME}
        case "data":
            return {"type": "string"}
        case "model":
            return {"type": "string", "pattern": r"\.(pt|yaml|yml)$"}
        case "train":
            return _closed({name: _argument(name) for name in sorted(arguments.trainable())})
        case "space":
            return {"anyOf": [{"type": "string"}, _space(), {"type": "array", "items": _part()}]}
        case "objective":
            metric = _objective()
            return {"anyOf": [metric, _closed({"metric": metric, "goal": _goal()}, ["metric"])]}
        case "sampler":
            return _method(SAMPLERS)
        case "pruner":
            return _method(PRUNERS)
        case "proposals":
            return {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR}}
        case "kinds":
            return {"type": "array", "items": {"enum": list(KINDS)}, "minItems": 1}


def _closed(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    closed: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**closed, "required": required} if required else closed


def _objective() -> Schema:
    metrics = [metric.value for metric in Metric]
    pattern = rf"^(f[0-9]+(\.[0-9]+)?|{'|'.join(metrics)})( (micro|macro))?( at .+)?$"
    spelled = {"type": "string", "pattern": pattern, "description": GRAMMAR}
    return {"anyOf": [{"enum": metrics}, spelled], "description": GRAMMAR, "examples": ["f1"]}


def _goal() -> Schema:
    return {"const": "maximize", "description": "Every metric is better when larger.", "examples": ["maximize"]}


def _argument(name: str) -> Schema:
    default = arguments.defaults()[name]
    usual = "" if default is None else f" (default: {default})"
    described = f"Ultralytics: {arguments.comments().get(name, 'a training argument')}{usual}"
    return {**_argument_type(name), "description": described, "examples": [default]}


def _argument_type(name: str) -> Schema:
    schema = dict(_TYPES[arguments.kind(name)])
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


def _part() -> Schema:
    return {"anyOf": [{"type": "string", "description": "a file of configs/spaces"}, _space()]}


def _range() -> Schema:
    epochs = {"type": "number", "minimum": 0, "description": "A share of `train.epochs`.", "examples": [0.3]}
    at_most = {"type": "number", "minimum": 0, "description": "But not more than this.", "examples": [10]}
    share = _closed({"epochs": epochs, "at_most": at_most}, ["epochs"])
    bound = {"anyOf": [_NUMBER, share]}
    when = {"type": "object", "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}}
    step = {"type": "number", "exclusiveMinimum": 0}
    several = {"type": "array", "items": _SCALAR, "minItems": 2}
    shapes: dict[str, Schema] = {
        **dict.fromkeys(("low", "high", "min", "max"), bound),
        "log": {"type": "boolean"},
        "step": step,
        "choices": several,
        "values": several,
        "value": _SCALAR,
        "distribution": {"enum": list(DISTRIBUTIONS)},
        "when": when,
    }
    said = {name: {"description": doc, "examples": [example]} for name, (doc, example) in RANGE_KEYS.items()}
    keys = {name: {**shapes[name], **said[name]} for name in RANGE_KEYS}
    pair = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2, "description": "[low, high]"}
    return {"anyOf": [_SCALAR, pair, _closed(keys)]}


def _method(known: Mapping[str, MethodRow]) -> Schema:
    long_forms = [
        _closed(
            {
                "name": {"const": name},
                **{option: {"description": f"Of Optuna's {row.optuna}."} for option in row.options},
            },
            ["name", *row.required],
        )
        for name, row in known.items()
    ]
    return {"anyOf": [{"enum": list(known)}, *long_forms]}
