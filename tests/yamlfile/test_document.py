"""Reading of YAML."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpo.errors import SpecError
from hpo.studyfile.loader import load_file
from hpo.yamlfile.document import number, parse, plain, scalar
from hpo.yamlfile.limits import MAX_BYTES
from hpo.yamlfile.report import MOST, ProblemReport
from tests.studyfile.conftest import MINIMAL, Studio


def _read(text: str) -> object:
    report = ProblemReport()
    node = parse(text, "f.yaml", report)
    assert not report.problems
    return None if node is None else plain(node)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        ("-5", -5),
        ("+5", 5),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        ("1_000", 1000),
        ("true", True),
        ("yes", "yes"),
        ("~", None),
        ("'1e-4'", "1e-4"),
        ("2001-01-01", "2001-01-01"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert _read(f"key: {text}") == {"key": value}


def test_an_alias_is_read_as_what_it_names() -> None:
    assert _read("a: &x {low: 1}\nb: *x") == {"a": {"low": 1}, "b": {"low": 1}}


def test_a_number_in_a_text_is_recognised_and_a_text_is_not() -> None:
    assert number("1e-4") == 1e-4
    assert number(".5") == 0.5
    assert number("1e") is None
    assert number("one") is None
    assert scalar("1" * 5000, "int") == "1" * 5000  # more digits than Python converts


def test_every_duplicate_key_is_reported_with_both_lines() -> None:
    report = ProblemReport()
    parse("a: 1\nb: {c: 1, c: 2}\na: 2\n", "f.yaml", report)
    assert [str(problem) for problem in report.problems] == [
        "f.yaml:2: b.c: given twice (first in line 2): keep one",
        "f.yaml:3: a: given twice (first in line 1): keep one",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "not YAML"),
        ("a: b: c", "not YAML"),
        ("a: *nothing", "undefined alias"),
        ("--- 1\n--- 2", "another document"),
        ("a: \x00", "not YAML"),
        ("\t- a", "not YAML"),
        ("a: &x [*x]", "contains itself"),
        ("a: !!python/object:os.system x", "has no meaning here"),
        ("? [1, 2]\n: 3", "plain name"),
        ("[" * 1000, "nested too deeply"),
        ("[" * 40 + "]" * 40, "nested deeper"),
    ],
)
def test_what_is_no_plain_document_is_a_problem(text: str, message: str) -> None:
    report = ProblemReport()
    parse(text, "f.yaml", report)
    assert any(message in problem.message for problem in report.problems), report.problems


def test_a_yaml_bomb_is_refused_before_it_grows() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    report = ProblemReport()
    parse("\n".join(levels), "f.yaml", report)
    assert "values" in report.problems[0].message


def test_a_syntax_error_names_its_line(studio: Studio) -> None:
    problem = studio.problem(text=MINIMAL + "budget: [\n")
    assert problem.line >= 7
    assert problem.file.endswith("study.yaml")


def test_a_file_over_the_limit_is_not_even_read(studio: Studio) -> None:
    assert "larger than" in studio.problem(text=MINIMAL + "#" * MAX_BYTES).message


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "42\n", "just text\n"])
def test_a_document_that_is_no_mapping_is_refused(studio: Studio, text: str) -> None:
    assert studio.problems(text=text)


def test_a_missing_file_a_folder_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"name: \xff\xfe")
    for path, message in (("none.yaml", "No such file"), (".", "is a folder"), ("bytes.yaml", "UTF-8")):
        with pytest.raises(SpecError, match=message):
            load_file(tmp_path / path)


@pytest.mark.parametrize("escaped", [r"\ud800", r"\udbff.yaml", r"a\0b"])
@pytest.mark.parametrize("key", ["data", "model", "name"])
def test_a_character_that_no_file_can_hold_is_refused(studio: Studio, key: str, escaped: str) -> None:
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(f"{key}:")]
    text = "\n".join([f'{key}: "{escaped}"', *lines])
    assert any("can't be written" in problem.message for problem in studio.problems(text=text) if problem.path == key)


def test_a_pair_of_json_escapes_is_one_character() -> None:
    assert _read(r'name: "\ud83d\ude00"') == {"name": "\U0001f600"}


@pytest.mark.parametrize("key", ["data", "model", "train.pretrained", "train.distill_model"])
@pytest.mark.parametrize(
    "name", [f"sub/{'a' * 300}.pt", "sub/loop.pt", f"{'b/' * 2000}c.pt"], ids=("long", "loop", "deep")
)
def test_a_path_that_the_disk_refuses_is_no_file(studio: Studio, key: str, name: str) -> None:
    (studio.folder / "sub").mkdir()
    (studio.folder / "sub" / "loop.pt").symlink_to("loop.pt")
    said = {problem.path: problem.message for problem in studio.problems(f"{key}={name}")}
    assert "no such file" in said[key]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[? ", "{? [", "- ? "])
def test_what_is_nested_too_deeply_is_refused_before_it_is_parsed(studio: Studio, opening: str) -> None:
    assert "nested" in studio.problem(text=f"{MINIMAL}budget: {opening * 2000}").message


@pytest.mark.parametrize("entries", ["a: {" + "x,\n" * 60_000, "-\n" * 60_000, "\n" * 60_000, "? " + "a: 1, " * 60_000])
def test_more_entries_than_a_person_writes_are_refused_before_they_are_parsed(studio: Studio, entries: str) -> None:
    assert "more than" in studio.problem(text=entries).message


def test_what_is_no_regular_file_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), Path("/dev/tty")):
        with pytest.raises(SpecError, match=r"no regular file|can't be read"):
            load_file(path)


def test_after_a_hundred_problems_the_rest_is_not_looked_at(studio: Studio) -> None:
    found = studio.problems(text=MINIMAL + "".join(f"wrong{number}: 1\n" for number in range(5_000)))
    assert len(found) == MOST + 1
    assert any("not looked at" in problem.message for problem in found)
