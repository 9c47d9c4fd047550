"""The JSON Schema that editors use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hpo.studyfile.arguments import arguments
from hpo.studyfile.json_schema import json_schema
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.reading.reader import REQUIRED, StudyReader
from hpo.studyfile.serialize import dump_yaml
from hpo.studyfile.text.places import Folders
from tests.studyfile.conftest import Studio
from tests.studyfile.test_serialize import RICH

Schema = dict[str, Any]
Check = Callable[[Any, Schema, Schema], bool]


def _fits(value: Any, schema: Schema, root: Schema) -> bool:
    """A validator of only those keywords that the schema uses."""
    return all(check(value, schema, root) for keyword, check in CHECKS.items() if keyword in schema)


def _type_fits(value: Any, schema: Schema, _root: Schema) -> bool:
    wanted = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    name = names.get(type(value), "null")
    return name in wanted or (name == "integer" and "number" in wanted)


def _properties_fit(value: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    known, rest = schema.get("properties", {}), schema["additionalProperties"]
    return all(
        _fits(child, known[key], root) if key in known else rest is not False and _fits(child, rest, root)
        for key, child in value.items()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


CHECKS: dict[str, Check] = {
    "$ref": lambda value, schema, root: _fits(value, root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root),
    "anyOf": lambda value, schema, root: any(_fits(value, option, root) for option in schema["anyOf"]),
    "enum": lambda value, schema, _: value in schema["enum"],
    "const": lambda value, schema, _: value == schema["const"],
    "type": _type_fits,
    "required": lambda value, schema, _: not isinstance(value, dict) or set(schema["required"]) <= set(value),
    "additionalProperties": _properties_fit,
    "items": lambda value, schema, root: (
        not isinstance(value, list) or all(_fits(item, schema["items"], root) for item in value)
    ),
    "minimum": lambda value, schema, _: not _is_number(value) or value >= schema["minimum"],
    "maximum": lambda value, schema, _: not _is_number(value) or value <= schema["maximum"],
}


def _document(text: str) -> Any:
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))


SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_studies_fit_the_schema(path: Path) -> None:
    assert _fits(_document(path.read_text()), json_schema(), json_schema())


def test_what_the_loader_writes_fits_the_schema_and_a_wrong_key_does_not(studio: Studio) -> None:
    schema = json_schema()
    assert _fits(_document(RICH), schema, schema)
    written = _document(dump_yaml(studio.load(text=RICH)))
    assert _fits(written, schema, schema)
    assert not _fits({**written, "trian": {}}, schema, schema)
    assert not _fits({**written, "train": {"epochs": 0}}, schema, schema)
    assert not _fits({**written, "search": {"sampler": {"name": "tpe", "n_startup": 3}}}, schema, schema)
    assert not _fits({key: value for key, value in written.items() if key != "data"}, schema, schema)


def test_the_schema_names_exactly_what_the_loader_reads(tmp_path: Path) -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(StudyReader(Folders(tmp_path, tmp_path), tmp_path).readers())
    assert schema["required"] == list(REQUIRED)
    assert set(schema["properties"]["train"]["properties"]) == arguments.trainable()
    for key, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        assert schema["properties"]["search"]["properties"][key]["anyOf"][0] == {"enum": list(known)}
    assert json.loads(json.dumps(schema)) == schema
