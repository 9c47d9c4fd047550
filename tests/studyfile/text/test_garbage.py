"""Any file content gives a study or a ``SpecError``, never another exception."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hpo.errors import SpecError
from hpo.studyfile import json_schema, serialize
from hpo.studyfile.arguments import arguments
from hpo.studyfile.loader import load_file
from hpo.studyfile.planning import plan, rungs
from tests.studyfile.conftest import MINIMAL, Studio

ANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

KEYS = sorted(
    {
        *json_schema.json_schema()["properties"],
        *arguments.defaults(),
        *("low", "high", "log", "step", "choices", "values", "value", "when", "min", "max", "distribution", "at_most"),
        *("metric", "goal", "sampler", "pruner", "seed", "enqueue", "trials", "hours", "weights", "hung_s", "retries"),
        *("n_startup_trials", "wrapped", "patience", "lower", "percentile", "<<"),
    }
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["SGD", "auto", "tpe", "grid", "median", "patient", "f1", "sampled", "swept", "yolov8-core", "1e-4"]
    ),
    st.sampled_from([0, 1, 0.5, -1, 1e-4, 2**64, 10**400]),
)
NAMES = st.one_of(st.sampled_from(KEYS), st.text(max_size=6))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=12,
)


def _use(studio: Studio, text: str, *overrides: str) -> None:
    """Load the text; a loaded study can be planned, stored and written."""
    try:
        spec = load_file(studio.write(text), overrides)
    except SpecError:
        return
    rungs.plan(spec)
    plan.baseline(spec, nc=3, train_images=100)
    assert serialize.from_json(serialize.to_json(spec)) == spec


@ANY
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_a_document_of_wrong_shapes_is_a_spec_error(studio: Studio, document: dict[str, Any]) -> None:
    base = {"name": "demo", "data": "data.yaml", "model": "yolov8n.yaml", "space": {"mosaic": [0, 1]}}
    _use(studio, json.dumps({**base, **document}))


@ANY
@given(st.sampled_from(sorted(arguments.sampleable())), VALUES)
def test_a_space_of_wrong_shapes_is_a_spec_error(studio: Studio, name: str, value: object) -> None:
    document = {"name": "demo", "data": "data.yaml", "model": "a.pt", "space": {name: value, "box": [1, 2]}}
    _use(studio, json.dumps(document))


@ANY
@given(st.sampled_from(sorted(arguments.trainable())), VALUES)
@example("distill_model", "\U00010000")
@example("pretrained", "\ud800")
@example("pretrained", "a\0.pt")
def test_arguments_of_wrong_shapes_are_a_spec_error(studio: Studio, name: str, value: object) -> None:
    document = {"name": "demo", "data": "data.yaml", "model": "a.pt", "train": {name: value}, "space": {"cls": [1, 2]}}
    _use(studio, json.dumps(document))


@ANY
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_random_text_is_a_spec_error(studio: Studio, text: str) -> None:
    _use(studio, text)


@ANY
@given(st.text(alphabet="abc:-[]{}&*!|>'\"%@`#?,~ \n\t1.e", max_size=60))
def test_random_yaml_syntax_is_a_spec_error(studio: Studio, text: str) -> None:
    _use(studio, MINIMAL + text)


@ANY
@given(st.lists(st.text(alphabet=string.ascii_lowercase + ".=[]{}: 019", max_size=25), max_size=3))
def test_random_overrides_are_a_spec_error(studio: Studio, overrides: list[str]) -> None:
    _use(studio, MINIMAL, *overrides)


@ANY
@given(st.sampled_from(KEYS), st.sampled_from(KEYS), VALUES)
def test_overrides_of_any_key_are_a_spec_error_or_a_study(studio: Studio, one: str, two: str, value: object) -> None:
    _use(studio, MINIMAL, f"{one}.{two}={json.dumps(value)}")


@pytest.mark.parametrize("cut", range(0, len(MINIMAL), 3))
def test_a_truncated_file_is_a_spec_error(studio: Studio, cut: int) -> None:
    _use(studio, MINIMAL[:cut])


@pytest.mark.parametrize("cut", range(0, len(MINIMAL), 3))
def test_a_file_with_a_broken_byte_is_a_spec_error(studio: Studio, cut: int) -> None:
    path = studio.folder / "study.yaml"
    path.write_bytes(MINIMAL.encode()[:cut] + b"\xff" + MINIMAL.encode()[cut + 1 :])
    with pytest.raises(SpecError, match="UTF-8"):
        load_file(path)
