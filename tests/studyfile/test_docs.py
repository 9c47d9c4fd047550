"""docs/study-file.md agrees with the loader."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from hpo.studyfile.arguments import arguments
from hpo.studyfile.json_schema import json_schema
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import MethodRow
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.schema import POSTPROCESSING_NAMES
from hpo.studyfile.text.places import shipped
from hpo.trial.vocabulary import Metric
from tests.studyfile.conftest import Studio

KEYS_PAGE: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "keys_page.py"))
PAGE = (Path(__file__).parents[2] / "docs" / "study-file.md").read_text(encoding="utf-8")
EXAMPLE = next(iter(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)))


def test_the_complete_file_loads(studio: Studio) -> None:
    data = studio.folder.parent / "data" / "digits" / "data.yaml"
    data.parent.mkdir(parents=True)
    data.write_text("names: [a]")
    spec = studio.load(text=EXAMPLE)
    assert spec.data == str(data)
    assert spec.space.names == ("lr0", "weight_decay", "mosaic", "iou", "conf", "batch")


def test_the_complete_file_shows_every_key() -> None:
    for key, schema in json_schema()["properties"].items():
        assert re.search(rf"^{key}:", EXAMPLE, re.MULTILINE), key
        inner = {} if key in {"train", "space"} else schema.get("properties", {})
        assert all(re.search(rf"^ +{name}:", EXAMPLE, re.MULTILINE) for name in inner), key


def test_the_table_of_keys_is_what_their_definition_says() -> None:
    assert KEYS_PAGE["rewritten"](PAGE) == PAGE, "out of date: make keys"
    assert KEYS_PAGE["rewritten"](PAGE.replace(KEYS_PAGE["table"](), "")) == PAGE


def test_the_page_names_every_choice() -> None:
    for name in [*Metric, *SAMPLERS, *PRUNERS, *POSTPROCESSING_NAMES, *arguments.OWNED]:
        assert re.search(rf"\b{name}\b", PAGE), name
    for folder in shipped("spaces"):
        for part in folder.glob("*.yaml"):
            assert f"`{part.stem}`" in PAGE, part.stem


@pytest.mark.parametrize("name", [*SAMPLERS, *PRUNERS])
def test_the_page_names_every_option(name: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1])
    shared = PAGE if "those of" in row else row
    rows: dict[str, MethodRow] = {**SAMPLERS, **PRUNERS}
    for option in rows[name].options:
        assert option in shared, option
