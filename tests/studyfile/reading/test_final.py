"""The final training in a study file."""

from __future__ import annotations

import pytest

from hpo.studyfile import serialize
from hpo.studyfile.schema import Final
from tests.studyfile.conftest import Studio


def test_the_final_epochs_may_be_named(studio: Studio) -> None:
    assert studio.load().final is None
    assert studio.load("final={}").final == Final(None)
    spec = studio.load("final.epochs=200")
    assert spec.final == Final(200)
    assert serialize.from_json(serialize.to_json(spec)) == spec
    assert "epochs: 200" in serialize.dump_yaml(spec)


@pytest.mark.parametrize(("wrong", "path"), [("final={epochs: 0}", "final.epochs"), ("final={seed: 3}", "final.seed")])
def test_what_is_wrong_is_named(studio: Studio, wrong: str, path: str) -> None:
    assert studio.problem(wrong).path == path
