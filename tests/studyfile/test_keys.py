"""The definition of the keys: every key has a description and an example, and is read as described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from hpo.studyfile import documents
from hpo.studyfile.json_schema import _forms as schema_forms
from hpo.studyfile.json_schema import json_schema
from hpo.studyfile.keys import Block, Form, KeyField, Real, Whole, keys_of
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.reading.reader import StudyReader
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.text.places import Folders
from tests.studyfile.conftest import Studio


def _all(cls: type[Any], above: str = "") -> Iterator[tuple[str, KeyField]]:
    for each in keys_of(cls):
        yield f"{above}{each.key.within + '.' if each.key.within else ''}{each.called}", each
        if isinstance(each.shape, Block):
            yield from _all(each.shape.cls, f"{above}{each.name}.")


KEYS = dict(_all(StudySpec))
NUMBERS = {path: each for path, each in KEYS.items() if isinstance(each.shape, (Whole, Real))}


@pytest.mark.parametrize("path", KEYS)
def test_the_example_of_every_key_is_accepted(studio: Studio, path: str) -> None:
    (studio.folder / "other.yaml").write_text("names: [a]")
    (studio.folder.parent / "data" / "digits").mkdir(parents=True)
    (studio.folder.parent / "data" / "digits" / "data.yaml").write_text("names: [a]")
    batch_and_mosaic = "space={lr0: [1e-4, 1e-1], batch: {choices: [8, 16]}, mosaic: [0, 1]}"
    base = [] if path == "space" else ["train.optimizer=SGD", batch_and_mosaic]
    studio.load(*base, f"{path}={json.dumps(KEYS[path].example)}")


@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_is_read_from_its_bound_and_not_below(studio: Studio, path: str) -> None:
    shape = NUMBERS[path].shape
    assert isinstance(shape, (Whole, Real))
    bound = shape.at_least if isinstance(shape, Whole) else shape.bound
    above = isinstance(shape, Real) and shape.above
    assert f"{'above' if above else 'at least'} {bound:g}" in studio.problem(f"{path}={bound - 1:g}").message
    assert bool(studio.problem(f"{path}={bound:g}") if above else studio.load(f"{path}={bound:g}"))


def test_every_key_has_a_description_and_an_example_for_the_editor() -> None:
    options = {option for kind in (*SAMPLERS.values(), *PRUNERS.values()) for option in kind.options}
    for path, schema in _properties(json_schema()):
        name = path.rpartition(".")[2]
        if "$ref" in schema or "const" in schema or name in options:
            continue
        assert schema.get("description"), path
        assert "examples" in schema, path


def _properties(schema: Any, above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property of the schema, at any depth."""
    if isinstance(schema, list):
        for item in schema:
            yield from _properties(item, above)
    elif isinstance(schema, dict):
        for keyword, value in schema.items():
            if keyword == "properties":
                for name, child in value.items():
                    yield f"{above}.{name}", child
                    yield from _properties(child, f"{above}.{name}")
            elif keyword not in {"examples", "default", "enum"}:
                yield from _properties(value, above)


@pytest.mark.parametrize("form", get_args(Form))
def test_every_form_is_read_and_written_and_described(studio: Studio, form: Form) -> None:
    reader = StudyReader(Folders(studio.folder, studio.folder), studio.folder / "study.yaml")
    for table in (reader._forms, documents._FORMS, schema_forms()):
        assert form in table
