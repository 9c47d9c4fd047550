"""The tables of arguments agree with the installed Ultralytics."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics.cfg import DEFAULT_CFG_DICT, check_cfg

from hpo.studyfile.arguments import arguments
from hpo.studyfile.arguments.values import BadValue, coerce


def test_the_defaults_are_those_of_the_installed_package() -> None:
    assert arguments.defaults() == DEFAULT_CFG_DICT


def test_every_default_that_a_study_may_name_is_accepted_as_it_is() -> None:
    for name in arguments.trainable():
        value = arguments.defaults()[name]
        assert coerce(name, value) == value
        assert type(coerce(name, value)) is type(value)


def test_every_argument_has_one_place() -> None:
    """Each name is an argument of the training, owned by the service, removed, or without use in a training; none is
    invented.
    """
    groups = [set(arguments.OWNED), set(arguments.REMOVED), arguments.OUTSIDE_TRAINING, arguments.trainable()]
    assert set(DEFAULT_CFG_DICT) <= set().union(*groups)
    assert sum(len(group) for group in groups) == len(set().union(*groups))
    assert set(arguments.INERT) <= arguments.trainable()
    assert set(DEFAULT_CFG_DICT) >= arguments.OUTSIDE_TRAINING
    assert set(arguments.OWNED) - set(DEFAULT_CFG_DICT) == {"save_dir"}


RAW: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2000),
    st.floats(-2, 100),
    st.text("aeSGDdm018.-", max_size=6),
    st.sampled_from(["auto", "adamw", "ram", "fp16", "flip", "1e-3", "0.5"]),
    st.lists(st.one_of(st.integers(0, 3), st.floats(0, 1)), max_size=3),
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(arguments.trainable())), RAW)
def test_what_is_accepted_passes_the_checks_of_ultralytics_unchanged(name: str, raw: object) -> None:
    try:
        value = coerce(name, raw)
    except BadValue:
        return
    checked = {name: value}
    check_cfg(checked)  # raises TypeError or ValueError on what it refuses
    assert checked == {name: value}


@pytest.mark.parametrize("name", sorted(arguments.trainable()))
def test_bounds_are_accepted_by_ultralytics_and_beyond_them_refused_here(name: str) -> None:
    for bound, beyond in ((arguments.lowest(name), -1), (arguments.highest(name), 1)):
        if bound is None:
            continue
        check_cfg({name: coerce(name, bound)})
        with pytest.raises(BadValue):
            coerce(name, bound + beyond)
