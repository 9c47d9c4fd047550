"""The short form of ``make fuzz``, and what it has found before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import inputs
from tests.fuzz.targets import TARGETS, prepared, read_data, read_model, read_study, run_command, watched

SHORT = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
KEPT = [
    ("data", b"? " * 13),
    ("data", b"path: .\ntrain: /dev/zero\nval: /dev/zero\nnames: [a]\n"),
    ("study", inputs.STUDY + b"[" * 1600),
    ("study", b"a: &a [" + b"*a," * 3000 + b"]\n"),
    ("study", inputs.STUDY.replace(b"[8, 16]", b"[" + b"x," * 15_000 + b"]")),
    ("study", inputs.STUDY.replace(b"600", b"1e308")),
    ("study", b"%YAML 9.9\n---\n" + inputs.STUDY),
    ("study", b"a: &x 1\nb: &x 2\n"),
    ("data", inputs.DATA.replace(b"images/val", b"i" * 300)),
    ("study", inputs.STUDY.replace(b"yolov8-core", b"y" * 300)),
    ("model", b"head: " + b"[" * 400),
    ("command", ["validate", "study.yaml", "--data", "/dev/zero"]),
    ("command", ["confirm", "study.yaml", "--storage", "nothing"]),
    ("command", ["status", "none.yaml"]),
    ("command", ["status", "folder"]),
    ("command", ["trial", "9" * 30]),
    ("command", ["trials", "--storage", "postgresql://u@h:99999/d"]),
    ("command", ["update", "digits", "budget.hours=1e308"]),
]
"""Inputs that once ended with a trace, hung, or took all memory."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path) -> object:
    with prepared(tmp_path):
        yield


@pytest.mark.parametrize(("name", "value"), KEPT)
def test_what_was_found_before_is_told_in_words(name: str, value: object) -> None:
    with watched():
        TARGETS[name][1](value)


@SHORT
@given(inputs.studies)
def test_any_study_file_is_read_or_refused_in_words(content: bytes) -> None:
    with watched():
        read_study(content)


@SHORT
@given(inputs.data_files)
def test_any_data_yaml_is_read_or_refused_in_words(content: bytes) -> None:
    with watched():
        read_data(content)


@SHORT
@given(inputs.models)
def test_any_file_of_a_model_is_read_or_refused_in_words(content: bytes) -> None:
    with watched():
        read_model(content)


@SHORT
@given(inputs.lines)
def test_any_command_line_ends_with_an_exit_code_and_words(words: list[str]) -> None:
    with watched():
        run_command(words)
