"""A database with an unknown version of Optuna is refused when it is opened, with a clear message."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from hpo.study.database import optuna_tables, optuna_version
from hpo.study.database.storage import SchemaConflict, Storage, open_storage, version_at

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"

UNDER = """
import sys
from importlib import metadata
import optuna.version
optuna.version.__version__ = optuna.__version__ = sys.argv[2]
from hpo.errors import HpoError
from hpo.study.database.storage import open_storage
try:
    open_storage(sys.argv[1], create=bool(sys.argv[3])).close()
except HpoError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_the_columns_that_are_compared_are_optunas_own() -> None:
    from optuna.storages._rdb import models

    theirs = {name: {column.name for column in table.c} for name, table in models.BaseModel.metadata.tables.items()}
    theirs.pop("version_info")
    assert theirs == optuna_tables.COLUMNS


def test_the_release_that_is_compared_is_the_pinned_one() -> None:
    assert f'"optuna=={optuna_version.SUPPORTED}.*"' in PYPROJECT.read_text()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE trial_values RENAME COLUMN value TO result",
        "ALTER TABLE trial_heartbeats RENAME TO heartbeats",
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_tables_of_another_form_are_refused_with_a_way_out(
    storage: Storage, storage_url: str, change: str, *, create: bool
) -> None:
    storage.write(lambda connection: connection.execute(text(change)))
    with pytest.raises(SchemaConflict, match=r"trial_(values\.value|heartbeats\.).*restore the backup") as caught:
        open_storage(storage_url, create=create)
    assert caught.value.exit_code == 3


def test_a_column_more_is_no_hindrance(storage: Storage, storage_url: str) -> None:
    storage.write(lambda connection: connection.execute(text("ALTER TABLE trials ADD COLUMN further INTEGER")))
    open_storage(storage_url, create=False).close()


@pytest.mark.parametrize(("release", "exit_code"), [("5.0.7", 0), ("5.1.0", 3), ("5.01.0", 3)])
def test_another_optuna_than_the_pinned_one_is_refused_with_a_way_out(
    storage_url: str, release: str, exit_code: int
) -> None:
    _opened_under(storage_url, release, exit_code, create="")


def test_another_optuna_makes_no_tables(empty_url: str) -> None:
    _opened_under(empty_url, "5.1.0", 3, create="yes")
    assert version_at(empty_url) is None


def _opened_under(url: str, release: str, exit_code: int, *, create: str) -> None:
    command = [sys.executable, "-c", UNDER, url, release, create]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == exit_code, done.stderr
    if exit_code:
        assert re.search(rf"Optuna {release} is installed.*pip install 'optuna==5\.0\.\*'", done.stdout)
