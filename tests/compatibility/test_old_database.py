"""A database of commit 46f6ae8 under today's code: commands report it as before, and its studies continue.

``make_fixture.py`` made the products and recorded the output of that version.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.compatibility import fixture
from tests.compatibility.fixture import CONFIRM, HOME, PRODUCTS, SYNC, TOLD

BACKENDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.long))
MOMENTARY = {"duration_s", "device_hours", "wasted_hours", "left_s", "seen_s"}
"""Keys of the JSON forms that hold a duration up to now."""
OF_PATHS = {"hpo.projected", "spec_sha256"}
"""Tags that are digests of texts with absolute paths."""
MANIFEST = "hpo.artifacts"
"""A tag with digests of files, some of which contain absolute paths: the files are compared instead."""


@dataclass(frozen=True)
class Old:
    """An upgraded copy."""

    folder: Path
    variables: dict[str, str]

    def hpo(self, *words: str, code: int = 0) -> str:
        return fixture.hpo(self.folder, *words, code=code, **self.variables)

    def told(self, *words: str) -> Any:
        return self.all_told({"it": words})["it"]

    def all_told(self, commands: dict[str, tuple[str, ...]]) -> dict[str, Any]:
        return fixture.told(self.folder, commands, **self.variables)


@contextmanager
def upgraded(folder: Path, server: str | None) -> Iterator[Old]:
    fixture.unpack(folder)
    with ExitStack() as stack:
        variables = {}
        if server is not None:
            (folder / HOME / "hpo.db").unlink()
            url = postgres.create_database(server)
            stack.callback(postgres.drop_database, server, url)
            fixture.fill_postgres(url, folder)
            variables = {"HPO_STORAGE": url}
        old = Old(folder, variables)
        old.hpo("db", "upgrade")
        yield old


"""The databases, for slow tests: the short suite takes one."""


def server_for(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture(scope="module", params=BACKENDS)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    """Give an upgraded copy for tests that only read it."""
    with upgraded(tmp_path_factory.mktemp("old"), server_for(request)) as made:
        yield made


@pytest.fixture(params=BACKENDS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    """Give an upgraded copy for a test that changes it."""
    with upgraded(tmp_path, server_for(request)) as made:
        yield made


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """Return the recorded output of the old version."""
    said: dict[str, Any] = json.loads(lzma.decompress((PRODUCTS / "expected.json.xz").read_bytes()))
    return said


def missing(before: Any, after: Any, place: str = "") -> list[str]:
    """Return the places where ``after`` lacks something of ``before``; further content of ``after`` may be new."""
    if isinstance(before, dict) and isinstance(after, dict):
        kept = [key for key in before if key not in MOMENTARY | OF_PATHS]
        return [line for key in kept for line in missing(before[key], after.get(key, "nothing"), f"{place}/{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for at, (one, other) in pairs for line in missing(one, other, f"{place}/{at}")]
    if place.endswith(MANIFEST):
        before, after = sorted(json.loads(before)), sorted(json.loads(after))
    return [] if before == after else [f"{place}: {before!r}, now {after!r}"]


def test_what_was_stored_is_told_as_it_was(old: Old, expected: dict[str, Any]) -> None:
    assert missing(expected["told"], old.all_told(TOLD)) == []


def test_a_verdict_is_told_as_it_was(old: Old, expected: dict[str, Any]) -> None:
    assert missing(expected["confirm"], json.loads(old.hpo(*CONFIRM))) == []


@pytest.mark.parametrize("own", BACKENDS, indirect=True)
@pytest.mark.long
def test_mlflow_is_brought_in_line_and_written_anew_as_it_was(own: Old, expected: dict[str, Any]) -> None:
    said = own.all_told(SYNC)
    assert missing(expected["sync"], said) == []
    assert [each["name"] for each in said["proven"]["registered"]] == ["other"]  # it waited for this
    assert missing(expected["held"], fixture.held(own.folder)) == []
    fixture.forget_mlflow(own.folder)
    assert missing(expected["sync into nothing"], own.all_told(SYNC)) == []
    assert missing(expected["held anew"], fixture.held(own.folder)) == []


@pytest.mark.long
def test_the_registered_model_finds_what_it_found(tmp_path: Path, expected: dict[str, Any]) -> None:
    fixture.unpack(tmp_path)
    found, before = fixture.detected(tmp_path), expected["detected"]
    assert found["columns"] == before["columns"]
    assert len(before["rows"]) > 0
    for now, then in zip(found["rows"], before["rows"], strict=True):
        assert (now[0], *now[6:]) == (then[0], *then[6:])  # image, class and its name
        assert now[1:6] == pytest.approx(then[1:6], rel=0.01, abs=0.05)


@pytest.mark.long
def test_a_search_goes_on_where_it_was_left(own: Old, expected: dict[str, Any]) -> None:
    said = own.hpo("run", "going.yaml")
    status, trials = own.told("status", "going"), own.told("trials", "going")
    assert status["state"] == "finished", said
    assert (status["budget"]["counted"], status["budget"]["trials"]) == (6, 6)
    before = expected["told"]["trials going"]
    assert missing([trial for trial in before if trial["finished"]], trials[:3]) == []
    waiting = own.told("trial", "going", "3")
    assert waiting["state"] == "COMPLETE", said
    assert waiting["attempts"][-1]["resumed_from"] == expected["told"]["trial of the waiting attempt"]["epochs"] == 2


@pytest.mark.long
def test_a_confirmation_goes_on_to_its_verdict(own: Old, expected: dict[str, Any]) -> None:
    told = json.loads(own.hpo("confirm", "begun", "--json"))
    assert (told["split"], told["seeds"]) == ("test", 2)
    runs = own.told("trials", "begun.confirm")
    assert [run["state"] for run in runs] == ["COMPLETE"] * 4
    before = [run for run in expected["told"]["trials begun.confirm"] if run["state"] == "COMPLETE"]
    assert len(before) == 1
    assert missing(before, runs[:1]) == []


@pytest.mark.long
def test_a_winner_is_promoted_again(own: Old) -> None:
    own.hpo("promote", "proven", "--output", "again", "--no-register")
    assert {file.name for file in (own.folder / "again").iterdir()} == {
        file.name for file in (own.folder / "later").iterdir()
    }
