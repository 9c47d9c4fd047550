"""Studies that an earlier version stored: it wrote the texts in ``stored/``, and they never change.

``NAME.file.yaml`` is a study file, ``NAME.json`` its canonical text (the input of a digest), ``NAME.dump.yaml`` the
file that is logged to MLflow.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.studyfile import serialize
from tests.studyfile.conftest import Studio

FOLDER = Path(__file__).parent / "stored"
DIGESTS = {
    "short": "3846d8c030e259e6a25dc86888b5151e943f4a94089e5ad177bb0321b1b1eaae",
    "whole": "581e155f750782762c1580469d73287563aa623419a350d2e3b76ae0df3859ca",
    "swept": "aba607abe609ad2fb5bf241694ba4b109978be46b1451b03e3b6c183070435e7",
}


def stored(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("name", DIGESTS)
def test_a_study_file_gives_the_canonical_text_that_it_always_gave(studio: Studio, name: str) -> None:
    spec = replace(studio.load(text=(FOLDER / f"{name}.file.yaml").read_text()), data="/data/data.yaml")
    assert serialize.to_json(spec) == stored(name)
    assert serialize.digest(spec) == DIGESTS[name]
    assert serialize.dump_yaml(spec) == (FOLDER / f"{name}.dump.yaml").read_text()
    assert serialize.from_json(stored(name)) == spec


@pytest.mark.parametrize("name", DIGESTS)
@pytest.mark.parametrize("later", ["confirm", "final", "warm_start"])
def test_a_text_from_before_a_key_is_read_with_its_default(name: str, later: str) -> None:
    raw = json.loads(stored(name))
    raw.pop(later, None)
    default: dict[str, Any] = {later: () if later == "warm_start" else None}
    older = serialize.from_json(json.dumps(raw))
    assert older == replace(serialize.from_json(stored(name)), **default)


def test_the_text_of_a_confirmation_stage_keeps_its_plan() -> None:
    text = stored("swept.confirm")
    spec, plan = serialize.from_json(text), serialize.plan_from_json(text)
    assert [run.of for run in plan] == [None, 7, 9]
    assert serialize.to_json(spec, plan) == text
    assert serialize.digest(spec, plan) == "b753dbe35aabe8a0cb6f8342c18ef0fb63e11e8041d62e685f693ce1bb54822e"
