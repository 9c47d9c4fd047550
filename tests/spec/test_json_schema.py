"""The JSON Schema that editors use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpo.spec import arguments
from hpo.spec.json_schema import json_schema
from hpo.spec.methods import PRUNERS, SAMPLERS
from hpo.spec.places import Folders
from hpo.spec.reader import REQUIRED, StudyReader
from hpo.spec.serialize import dump_yaml
from tests.spec.conftest import Studio
from tests.spec.test_serialize import RICH


def _fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """A validator of just the keywords that the schema uses."""
    if "$ref" in schema:
        return _fits(value, root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    if "anyOf" in schema and not any(_fits(value, option, root) for option in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    kinds = schema.get("type", [])
    if kinds and _kind(value) not in ([kinds] if isinstance(kinds, str) else [*kinds, "integer"]) and not (
        kinds == "number" and _kind(value) == "integer"
    ):  # fmt: skip
        return False
    if isinstance(value, dict) and "additionalProperties" in schema:
        known, rest = schema.get("properties", {}), schema["additionalProperties"]
        if not set(schema.get("required", [])) <= set(value):
            return False
        return all(_fits(child, known[key], root) if key in known else rest and _fits(child, rest, root)
                   for key, child in value.items())  # fmt: skip
    if isinstance(value, list) and "items" in schema:
        return all(_fits(item, schema["items"], root) for item in value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return True


def _kind(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _document(text: str) -> Any:
    from ruamel.yaml import YAML

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
