"""Databases that are none, belong to another program, or may not be written: words, not traces."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hpo.errors import UsageError
from hpo.settings import sqlite_url
from hpo.study.database import health
from hpo.study.database.storage import Storage, open_storage
from hpo.study.database.tables import SCHEMA_VERSION


def test_a_database_that_is_well_says_what_it_is(storage: Storage) -> None:
    found = health.look(storage.url.render_as_string(hide_password=False))
    assert found.problem is None
    assert (found.schema, found.studies) == (SCHEMA_VERSION, 0)
    assert abs(found.clock_s) < 60


def test_a_database_that_is_not_there_yet_is_no_problem_and_is_not_made(tmp_path: Path) -> None:
    assert health.look(sqlite_url(tmp_path / "hpo.db")).problem is None
    assert not (tmp_path / "hpo.db").exists()


@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, *, create: bool) -> None:
    (tmp_path / "hpo.db").write_bytes(b"of another program" * 100)
    with pytest.raises(UsageError, match="no SQLite database"):
        open_storage(sqlite_url(tmp_path / "hpo.db"), create=create)
    with pytest.raises(UsageError, match="no SQLite database"):
        health.look(sqlite_url(tmp_path / "hpo.db"))


def test_nothing_is_made_in_a_database_of_another_program(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hpo.db")) as theirs:
        theirs.execute("create table recipes (name text)")
    with pytest.raises(UsageError, match=r"another program \(recipes\)"):
        open_storage(sqlite_url(tmp_path / "hpo.db"), create=True)
    assert "recipes" in str(health.look(sqlite_url(tmp_path / "hpo.db")).problem)
    with closing(sqlite3.connect(tmp_path / "hpo.db")) as theirs:
        assert theirs.execute("select name from sqlite_master").fetchall() == [("recipes",)]
