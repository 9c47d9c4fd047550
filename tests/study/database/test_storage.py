from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, make_url, select, text, update
from sqlalchemy.exc import OperationalError

from hpo.errors import StorageUnavailable, UsageError
from hpo.study.database import optuna_tables, schema
from hpo.study.database.storage import SchemaConflict, Storage, open_storage
from hpo.study.database.tables import OLDER_VERSIONS, SCHEMA_VERSION, VERSION_TABLE, metadata, version
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import setup, snapshot
from hpo.study.studies.lifecycle import create_or_join, load
from tests import postgres
from tests.soak.proxy import Proxy
from tests.study.session import invariants
from tests.study.support import FACTS, IDENTITY, MakeStudy, admit, run, study_spec

OPEN = "import sys; from hpo.study.database.storage import open_storage; open_storage(sys.argv[1], create=True).optuna"


def test_a_database_that_is_not_there_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no study yet: `hpo run FILE`"):
        open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_our_tables_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "hpo.db").touch()
    with pytest.raises(UsageError, match="no study yet"):
        open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=False)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "no url", "oracle://h"])
def test_a_url_that_can_not_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError, match="HPO_STORAGE") as caught:
        open_storage(url, create=True)
    assert "secret" not in str(caught.value)


def test_processes_that_create_a_database_at_once_all_open_it(empty_url: str) -> None:
    command = [sys.executable, "-c", OPEN, empty_url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 5, errors
    assert errors == [""] * 5


def test_tables_of_a_newer_version_are_refused_with_a_way_out(storage: Storage, storage_url: str) -> None:
    storage.write(lambda connection: connection.execute(update(version).values(version_num="9999")))
    for create in (True, False):
        with pytest.raises(SchemaConflict, match=r"9999.*update hpo") as caught:
            open_storage(storage_url, create=create)
        assert caught.value.exit_code == 3


def test_migrations_and_tables_agree(storage: Storage) -> None:
    with storage.engine.connect() as connection:
        ours = {"include_name": lambda name, kind, _: kind != "table" or (name or "").startswith("hpo_")}
        context = MigrationContext.configure(connection, opts={**ours, "version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        scripts = ScriptDirectory.from_config(schema.alembic_config(connection))
    assert scripts.get_current_head() == SCHEMA_VERSION
    assert {script.revision for script in scripts.walk_revisions()} == {SCHEMA_VERSION, *OLDER_VERSIONS}


def test_a_study_of_the_version_before_goes_on_after_the_upgrade(
    storage: Storage, make_study: MakeStudy, session: WorkerSession
) -> None:
    run(session, at_most=2)
    given_back = admit(session)
    session.give_back(given_back.token, 0, None)
    session.close()
    with storage.engine.begin() as connection:
        command.downgrade(schema.alembic_config(connection), "0001")
    url = storage.url.render_as_string(hide_password=False)
    with pytest.raises(SchemaConflict, match=rf"0001.*needs {SCHEMA_VERSION}"):
        open_storage(url, create=False)
    with pytest.raises(SchemaConflict, match="hpo db upgrade"):  # nothing but a person's own command changes tables
        open_storage(url, create=True)
    done = setup.upgrade(url)
    assert (done.copy is not None) == url.startswith("sqlite")
    if done.copy is not None:
        assert setup.is_older(f"sqlite:///{done.copy}")
    with open_storage(url, create=False) as upgraded:
        study = load(upgraded, "digits")
        assert snapshot.status(upgraded, study).budget.counted == 2
        with WorkerSession(upgraded, study, "later", None) as later:
            assert [proposal.ordinal for proposal in run(later)] == [given_back.ordinal]
        invariants.check_end(upgraded, study)


def test_the_names_of_optunas_tables_are_optunas_own(storage: Storage) -> None:
    from optuna.storages._rdb import models

    theirs = models.BaseModel.metadata.tables
    of_a_study = {name for name, table in theirs.items() if {"study_id", "trial_id"} & set(table.c.keys())}
    assert of_a_study == set(optuna_tables.COLUMNS)
    for ours in (optuna_tables.studies, optuna_tables.trials, optuna_tables.user_attributes):
        assert {column.name for column in ours.columns} <= {column.name for column in theirs[ours.name].columns}


def test_rows_of_optuna_are_deleted_before_those_that_they_refer_to() -> None:
    from optuna.storages._rdb import models

    order = list(optuna_tables.COLUMNS)
    for name, table in models.BaseModel.metadata.tables.items():
        for key in table.foreign_keys:
            assert order.index(name) < order.index(key.column.table.name)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StorageUnavailable, match=r"\*\*\*@") as caught:
        open_storage("postgresql://me:sesame@127.0.0.1:1/hpo", create=True)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "sesame" not in str(chain)
        chain = chain.__cause__


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match=r"/file/home: Not a directory: set HPO_HOME"):
        open_storage(f"sqlite:///{tmp_path / 'file' / 'home' / 'hpo.db'}", create=True)


@pytest.fixture
def sqlite(storage: Storage) -> Storage:
    if storage.engine.name != "sqlite":
        pytest.skip("SQLite's own settings")
    return storage


def test_every_sqlite_connection_has_the_settings_that_several_processes_need(sqlite: Storage) -> None:
    for engine in (sqlite.engine, sqlite.reader, sqlite.optuna.engine):
        with engine.connect() as connection:
            values = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "busy_timeout", "synchronous")
            ]
        assert values == ["wal", 30_000, 1]


def test_reading_never_waits_for_a_writer_nor_a_writer_for_a_reader(sqlite: Storage) -> None:
    with sqlite.engine.begin() as writer:
        writer.execute(update(version).values(version_num="x"))
        with sqlite.reader.connect() as reader:
            assert reader.execute(select(version.c.version_num)).scalar() == SCHEMA_VERSION
            writer.commit()
            assert reader.execute(select(version.c.version_num)).scalar() == SCHEMA_VERSION


def test_optunas_transactions_take_the_write_lock_when_they_begin(sqlite: Storage) -> None:
    _impatient(sqlite)
    with sqlite.optuna.engine.connect() as theirs:
        theirs.execute(text("SELECT 1"))
        with pytest.raises(OperationalError, match="locked"), sqlite.engine.begin():
            pass


def test_a_lock_that_is_held_for_good_ends_as_storage_unavailable(sqlite: Storage) -> None:
    _impatient(sqlite)
    other = create_engine(sqlite.url)
    with other.connect() as holder:
        holder.exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(StorageUnavailable, match="database is locked") as caught:
            sqlite.write(lambda connection: connection.execute(text("SELECT 1")))
    other.dispose()
    assert caught.value.exit_code == 4


def test_an_error_that_passes_is_not_seen_and_optunas_wrapping_does_not_hide_it(sqlite: Storage) -> None:
    _impatient(sqlite)
    other = create_engine(sqlite.url)
    holder = other.connect()
    holder.exec_driver_sql("BEGIN EXCLUSIVE")
    tries: list[None] = []

    def call(rdb: Any) -> int:
        tries.append(None)
        if len(tries) == 2:
            holder.close()
        return len(rdb.get_all_studies())

    event.listen(sqlite.optuna.engine, "connect", _short_timeout)
    sqlite.optuna.engine.dispose()
    assert sqlite.call_optuna(call) == 0
    assert len(tries) >= 2
    other.dispose()


def test_readers_import_neither_optuna_nor_alembic() -> None:
    code = (
        "import sys, hpo.study.studies.snapshot, hpo.study.studies.lifecycle;"
        "sys.exit(' '.join({'optuna', 'alembic', 'numpy', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.PIPE).stderr == b"\n"


def _short_timeout(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA busy_timeout=1")


def _impatient(storage: Storage) -> None:
    """Locks are reported at once, not after SQLite's half a minute."""
    event.listen(storage.engine, "connect", _short_timeout)
    storage.engine.dispose()


def test_a_connection_that_is_lost_before_optuna_opens_its_own_is_an_outage(postgres_server: str) -> None:
    url = postgres.create_database(postgres_server)
    open_storage(url, create=True).close()
    port = make_url(url).port
    assert port is not None
    with Proxy(port) as proxy:
        by_proxy = make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        with open_storage(by_proxy, create=False) as storage:
            proxy.cut()
            with pytest.raises(StorageUnavailable, match="nothing is lost"):
                _ = storage.optuna
            proxy.mend()
            assert storage.optuna.get_all_studies() == []
    postgres.drop_database(postgres_server, url)


def test_a_connection_that_is_lost_in_the_middle_of_a_query_of_optunas_is_an_outage(
    postgres_server: str,
) -> None:
    url = postgres.create_database(postgres_server)
    with open_storage(url, create=True) as storage:
        study = create_or_join(storage, study_spec(trials=3), IDENTITY, FACTS)
        run(WorkerSession(storage, study, "w", None))
        calls: list[int] = []

        def lose(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if "FROM trial_intermediate_values" in statement:  # the second query of one read
                calls.append(1)
                connection.connection.dbapi_connection.close()

        event.listen(storage.optuna.engine, "before_cursor_execute", lose)
        with pytest.raises(StorageUnavailable):
            storage.call_optuna(lambda rdb: rdb.get_all_trials(rdb.get_study_id_from_name(study.name)))
        assert len(calls) > 1, "it was not tried again"
        event.remove(storage.optuna.engine, "before_cursor_execute", lose)
        assert len(storage.call_optuna(lambda rdb: rdb.get_all_trials(1))) == 3
    postgres.drop_database(postgres_server, url)


def test_a_transaction_that_postgresql_ended_since_its_process_was_stopped_is_made_again(postgres_server: str) -> None:
    url = postgres.create_database(postgres_server)
    with open_storage(url, create=True, lease_s=2) as storage:
        tries: list[int] = []

        def stopped_once(connection: Connection) -> int:
            tries.append(1)
            asked = int(connection.execute(text("SELECT 1")).scalar_one())
            if len(tries) == 1:
                time.sleep(3)  # idle_in_transaction_session_timeout is two seconds at this lease
            return int(connection.execute(text("SELECT 1")).scalar_one()) + asked

        assert storage.write(stopped_once) == 2
        assert len(tries) == 2
    postgres.drop_database(postgres_server, url)
