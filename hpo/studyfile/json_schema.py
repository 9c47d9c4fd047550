"""The JSON Schema of a study file: what an editor needs to complete and check one.

It says what values look like; the loader says what they mean. Names and bounds come from the tables that the loader
reads by, so that the two can't drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from hpo.studyfile.arguments import arguments
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import MethodRow
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.reading.reader import MIN_SEEDS, NAME, REQUIRED
from hpo.studyfile.schema import Plots
from hpo.trial.objective import GRAMMAR
from hpo.trial.vocabulary import Metric, Postprocess

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FROM_1: Schema = {"type": "integer", "minimum": 1}
_FROM_0: Schema = {"type": "number", "minimum": 0}
_ABOVE_0: Schema = {"type": "number", "exclusiveMinimum": 0}
_SCALAR: Schema = {"type": ["number", "string", "boolean", "null"]}
_TYPES: dict[str, Schema] = {
    "whole": {"type": "integer"},
    "real": {"type": "number"},
    "fraction": {"type": "number"},
    "flag": {"type": "boolean"},
    "text": {"type": "string"},
    "special": {},
}


def json_schema() -> Schema:
    """The schema, draft 2020-12."""
    objective = _objective()
    properties: dict[str, Schema] = {
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "data": {"type": "string", "description": "a data.yaml, from the folder of the study file"},
        "model": {"type": "string", "pattern": r"\.(pt|yaml|yml)$"},
        "train": _closed({name: _argument(name) for name in sorted(arguments.trainable())}),
        "space": {"anyOf": [{"type": "string"}, _space(), {"type": "array", "items": _part()}]},
        "objective": {"anyOf": [objective, _closed({"metric": objective, "goal": {"const": "maximize"}}, ["metric"])]},
        "search": _closed(
            {
                "sampler": _method(SAMPLERS),
                "pruner": _method(PRUNERS),
                "seed": {**_COUNT, "exclusiveMaximum": 2**32},
                "enqueue": {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR}},
            }
        ),
        "budget": _closed({"trials": _FROM_1, "hours": _ABOVE_0}),
        "baseline": {"type": "boolean"},
        "postprocess": {"enum": [mode.value for mode in Postprocess]},
        "plots": {"enum": list(get_args(Plots))},
        "keep": _closed({"weights": _FROM_1, "caches": _FROM_1}),
        "confirm": _closed({"top": _FROM_1, "seeds": {"type": "integer", "minimum": MIN_SEEDS}}),
        "final": _closed({"epochs": _FROM_1}),
        "warm_start": {"type": "array", "items": {"type": "string", "pattern": f"^{NAME.pattern}$"}},
        "recovery": _closed(
            {
                "hung_s": _ABOVE_0,
                "retries": _COUNT,
                "lease_s": {"type": "number", "minimum": 1},
                "grace_s": _FROM_0,
                "patience_s": _FROM_0,
                "checkpoint_every_s": {"type": "number", "minimum": 1},
            }
        ),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hpo study",
        **_closed(properties, list(REQUIRED)),
        "$defs": {"range": _range()},
    }


def _closed(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    closed: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**closed, "required": required} if required else closed


def _objective() -> Schema:
    metrics = [metric.value for metric in Metric]
    pattern = rf"^(f[0-9]+(\.[0-9]+)?|{'|'.join(metrics)})( (micro|macro))?( at .+)?$"
    return {"anyOf": [{"enum": metrics}, {"type": "string", "pattern": pattern, "description": GRAMMAR}]}


def _argument(name: str) -> Schema:
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
    default = arguments.defaults()[name]
    return schema if default is None else {**schema, "description": f"Ultralytics' default: {default}"}


def _space() -> Schema:
    return _closed({name: {"$ref": "#/$defs/range"} for name in sorted(arguments.sampleable() - {"epochs", "seed"})})


def _part() -> Schema:
    return {"anyOf": [{"type": "string", "description": "a file of configs/spaces"}, _space()]}


def _range() -> Schema:
    share = _closed(
        {"epochs": {"type": "number", "minimum": 0}, "at_most": {"type": "number", "minimum": 0}}, ["epochs"]
    )
    bound = {"anyOf": [_NUMBER, share]}
    when = {"type": "object", "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}}
    step = {"type": "number", "exclusiveMinimum": 0}
    distribution = {"enum": ["uniform", "int_uniform", "log_uniform_values", "categorical", "constant"]}
    several = {"type": "array", "items": _SCALAR, "minItems": 2}
    keys: dict[str, Schema] = {
        **dict.fromkeys(("low", "high", "min", "max"), bound),
        "log": {"type": "boolean"},
        "step": step,
        "choices": several,
        "values": several,
        "value": _SCALAR,
        "distribution": distribution,
        "when": when,
    }
    pair = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2, "description": "[low, high]"}
    return {"anyOf": [_SCALAR, pair, _closed(keys)]}


def _method(known: Mapping[str, MethodRow]) -> Schema:
    long_forms = [
        _closed({"name": {"const": name}, **{option: {} for option in row.options}}, ["name", *row.required])
        for name, row in known.items()
    ]
    return {"anyOf": [{"enum": list(known)}, *long_forms]}
