"""Rights on a real server: a worker's role may do everything that a trial needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from alembic import command
from sqlalchemy import create_engine, make_url, select, text, update
from sqlalchemy.exc import DBAPIError

from hpo.errors import StorageUnavailable, UsageError
from hpo.head import backup
from hpo.study.database import schema, tables
from hpo.study.database.roles import Role, RoleKind
from hpo.study.database.storage import SchemaConflict, Storage, open_storage
from hpo.study.database.tables import SCHEMA_VERSION
from hpo.study.records import Look, Upload
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, setup, snapshot, verdicts
from hpo.studyfile.schema import StudySpec
from hpo.trial.vocabulary import Reason, TrialState
from tests.head.conftest import Server
from tests.head.roles import IN_URL, READER, WORKER, execute, refused
from tests.searches import verdict
from tests.study.support import FACTS, IDENTITY, Clock, admit, begin, ended, epoch_report, outlive, run, study_spec

INIT = "import sys; from hpo.study.studies import setup; setup.init(sys.argv[1])"


def study(storage: Storage, spec: StudySpec | None = None) -> WorkerSession:
    row = lifecycle.create_or_join(
        storage, spec or study_spec(trials=4, sampler="tpe", pruner="median"), IDENTITY, FACTS
    )
    return WorkerSession(storage, row, "w", None)


def test_a_workers_role_creates_a_study_and_leads_trials_to_every_end(worker_url: str) -> None:
    with open_storage(worker_url, create=True) as storage, study(storage) as session:
        session.reap()
        first = admit(session)
        session.started(first.token, {"batch": 8}, 0)
        session.report(first.token, epoch_report(1, 0.5))
        session.checkpointed(first.token, 1, "/attempt/checkpoint.pt")
        session.uploads.add(first.token, Upload(1, "0" * 64, "mlflow-artifacts:/1/checkpoints/00000/1.pt"))
        session.give_back(first.token, 1, "/attempt/checkpoint.pt")
        again = admit(session)
        assert again.number == first.number
        session.report(again.token, epoch_report(2, 0.6))
        session.end(again.token, ended(value=0.6, epochs=2))
        killed = admit(session)
        session.report(killed.token, epoch_report(1, 0.1))
        session.end(killed.token, ended(Reason.KILLED, epochs=1))
        retried = session.admit()
        assert retried is not None
        assert retried.ordinal == killed.ordinal
        begin(session, retried)
        session.end(retried.token, ended(Reason.OOM, epochs=0))
        run(session)
        row = snapshot.status(storage, lifecycle.load(storage, "digits"))
    assert row.state == "finished"
    assert row.budget.counted == 4
    assert row.counts[TrialState.FAIL] == 1


def test_a_worker_that_died_is_repaired_by_another_with_the_same_role(worker_url: str) -> None:
    with open_storage(worker_url, create=True) as storage:
        clock = Clock()
        row = lifecycle.create_or_join(storage, study_spec(trials=4, sampler="tpe", pruner="median"), IDENTITY, FACTS)
        admit(WorkerSession(storage, row, "dead", None, clock=clock))
        with WorkerSession(storage, row, "w", None, clock=clock) as session:
            assert outlive(session, clock) == (0,)
            assert len(run(session)) == 4


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "ALTER TABLE hpo_trials ADD COLUMN mine int",
        "DROP TABLE hpo_epochs",
        "TRUNCATE hpo_epochs",
        "CREATE INDEX mine ON trials (number)",
        "DELETE FROM hpo_epochs",
        "DELETE FROM trials",
        "DELETE FROM studies",
        "UPDATE hpo_alembic_version SET version_num = '9'",
        "UPDATE version_info SET schema_version = 1",
        "INSERT INTO alembic_version VALUES ('9')",
        "CREATE ROLE mine",
        "COPY hpo_trials TO PROGRAM 'cat'",
    ],
)
def test_a_workers_role_makes_changes_and_deletes_no_more_than_rows_of_trials(worker_url: str, statement: str) -> None:
    assert refused(worker_url, statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE hpo_trials SET epochs = 1", "DELETE FROM hpo_trials", "CREATE TABLE m (x int)"]
)
def test_a_readers_role_only_reads(server: Server, database: str, owner_url: str, statement: str) -> None:
    url = server.url(database, READER.name, READER.password)
    assert refused(url, statement)
    with open_storage(url, create=False) as storage:
        assert lifecycle.names(storage) == []


def test_tables_of_a_later_version_are_open_to_the_worker_too(owner_url: str, worker_url: str) -> None:
    execute(owner_url, "CREATE TABLE later (id serial PRIMARY KEY, x int)")
    execute(worker_url, "INSERT INTO later (x) VALUES (1)")
    assert refused(worker_url, "DELETE FROM later")


def test_tables_that_an_upgrade_makes_are_open_to_the_worker_too(owner_url: str, worker_url: str) -> None:
    with open_storage(owner_url, create=True) as storage, storage.engine.begin() as connection:
        command.downgrade(schema.alembic_config(connection), "0003")
    setup.upgrade(owner_url)
    with open_storage(worker_url, create=False) as storage, study(storage):
        row = lifecycle.load(storage, "digits")
        verdicts.note_look(storage, row, "w", Look("test"))
        verdicts.keep(storage, row, "w", verdict("beats"))
        assert verdicts.looks(storage, row) == [Look("test")]
        assert verdicts.stored(storage, row) == verdict("beats")


def test_deleting_with_the_workers_role_says_who_may(worker_url: str) -> None:
    with open_storage(worker_url, create=True) as storage:
        study(storage).close()
        with pytest.raises(UsageError, match=r"'w_ork' may not do that; name the owner in HPO_STORAGE"):
            lifecycle.delete(storage, "digits")


def test_a_worker_at_a_database_without_tables_says_who_makes_them(
    server: Server, database: str, owner_url: str
) -> None:
    empty = server.database()
    execute(server.url(empty), f"GRANT CONNECT ON DATABASE {empty} TO w_ork")
    with pytest.raises(UsageError, match="hpo db init"):
        open_storage(server.url(empty, WORKER.name, IN_URL[WORKER.name]), create=True)


def test_init_may_be_run_again_and_changes_passwords_only_where_one_is_given(
    server: Server, database: str, owner_url: str, worker_url: str
) -> None:
    done = setup.init(owner_url, [Role(RoleKind.WORKER, WORKER.name, "")])
    assert done.before == SCHEMA_VERSION
    execute(worker_url, "SELECT 1")
    setup.init(owner_url, [Role(RoleKind.WORKER, WORKER.name, "another")])
    with pytest.raises(StorageUnavailable, match="password authentication failed"):
        open_storage(worker_url, create=False)
    execute(server.url(database, WORKER.name, "another"), "SELECT 1")
    setup.init(owner_url, [WORKER])


def test_no_password_reaches_the_servers_log(open_folder: Path, owner_url: str) -> None:
    log = (open_folder / "postgres.log").read_text()
    assert "ROLE w_ork LOGIN PASSWORD" in log  # all statements are logged here
    assert WORKER.password not in log
    assert READER.password not in log


def test_a_missing_role_without_a_password_is_an_error_that_names_the_variable(owner_url: str) -> None:
    with pytest.raises(UsageError, match="HPO_WORKER_PASSWORD_FILE"):
        setup.init(owner_url, [Role(RoleKind.WORKER, "nobody_yet", "")])


@pytest.mark.parametrize("name", ["", "Worker", 'x"; DROP ROLE y', "a-b", "x" * 64])
def test_a_role_name_that_needs_quoting_is_refused(owner_url: str, name: str) -> None:
    with pytest.raises(UsageError, match="small letters"):
        setup.init(owner_url, [Role(RoleKind.WORKER, name, "password")])


def test_mlflows_role_owns_its_database_and_sees_nothing_of_ours(server: Server, database: str, owner_url: str) -> None:
    for _ in range(2):
        setup.init(owner_url, [Role(RoleKind.MLFLOW, "mlflow", "mlflow-pass")])
    execute(server.url("mlflow", "mlflow", "mlflow-pass"), "CREATE TABLE IF NOT EXISTS mine (x int)")
    with pytest.raises(DBAPIError, match="permission denied"):
        execute(server.url(database, "mlflow", "mlflow-pass"), "SELECT * FROM hpo_trials")
    with pytest.raises(DBAPIError, match="permission denied"):
        execute(server.url("mlflow", WORKER.name, IN_URL[WORKER.name]), "SELECT 1")


@pytest.mark.long
def test_inits_at_once_all_succeed(server: Server, database: str) -> None:
    command = [sys.executable, "-c", INIT, server.url(database)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors


def test_upgrade_wants_tables_and_init_refuses_newer_ones(server: Server, database: str) -> None:
    url = server.url(database)
    with pytest.raises(UsageError, match="`hpo db init` makes them"):
        setup.upgrade(url)
    setup.init(url)
    assert setup.upgrade(url).before == SCHEMA_VERSION
    with open_storage(url, create=False) as storage:
        storage.write(lambda connection: connection.execute(update(tables.version).values(version_num="9999")))
    for action in (setup.init, setup.upgrade):
        with pytest.raises(SchemaConflict, match=r"9999.*update hpo"):
            action(url)


@pytest.mark.parametrize("older", sorted(tables.OLDER_VERSIONS))
def test_older_tables_are_upgraded_by_upgrade_alone(server: Server, database: str, older: str) -> None:
    from hpo.study.database.optuna_storage import open_rdb

    url = server.url(database)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    open_rdb(engine, create_tables=True)
    with engine.begin() as connection:
        schema.migrate(connection, older)
    with pytest.raises(SchemaConflict, match=f"{older}.*hpo db upgrade"):
        setup.init(url)
    assert setup.upgrade(url).before == older
    with engine.connect() as connection:
        assert connection.execute(select(tables.version.c.version_num)).scalar() == SCHEMA_VERSION
    engine.dispose()


def test_roles_have_the_limits_of_our_sessions_for_poolers_that_pass_none_on(
    server: Server, database: str, owner_url: str, worker_url: str
) -> None:
    engine = create_engine(make_url(worker_url).set(drivername="postgresql+psycopg"))  # without our own settings
    with engine.connect() as connection:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        found = [connection.scalar(text(f"SHOW {name}")) for name in names]
    engine.dispose()
    assert found == ["10s", "1min", "30s", "UTC"]


@pytest.mark.parametrize("schema_name", ["mine", "Odd name"])
def test_a_schema_in_the_url_holds_all_tables_rights_and_upgrades(
    server: Server, database: str, schema_name: str
) -> None:
    query = f"?options=-csearch_path%3D%22{schema_name.replace(' ', '%5C%20')}%22"
    owner = server.url(database) + query
    setup.init(owner, [WORKER, READER])
    where = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    with open_storage(owner, create=True) as storage:
        assert storage.read(lambda connection: connection.scalars(text(where)).all()) == [schema_name]
    behind_a_pooler = server.url(database, WORKER.name, IN_URL[WORKER.name])  # where the URL can't name the schema
    with open_storage(behind_a_pooler, create=False) as storage:
        assert storage.read(lambda connection: connection.scalar(text("SELECT current_schema()"))) == schema_name
    with open_storage(owner, create=True) as storage, storage.engine.begin() as connection:
        command.downgrade(schema.alembic_config(connection), "0003")
    assert setup.upgrade(owner).before == "0003"
    worker = server.url(database, WORKER.name, IN_URL[WORKER.name]) + query
    with open_storage(worker, create=True) as storage, study(storage) as session:
        assert len(run(session)) == 4
        assert optuna.load_study(study_name="digits", storage=storage.optuna).best_trial.value
    assert refused(worker, "DELETE FROM trials")
    assert refused(server.url(database, READER.name, READER.password) + query, "UPDATE hpo_trials SET epochs = 1")
    with pytest.raises(UsageError, match="no study yet"):
        open_storage(server.url(database), create=False)


def test_a_search_path_that_reaches_tables_of_another_schema_is_refused(server: Server, database: str) -> None:
    setup.init(server.url(database))
    with pytest.raises(UsageError, match="schema public holds tables"):
        setup.init(server.url(database) + "?options=-csearch_path%3Dmine,public")


def test_a_backup_takes_the_urls_that_the_database_takes(server: Server, database: str, tmp_path: Path) -> None:
    url = server.url(database).replace("postgresql://", "postgresql+psycopg2://")
    setup.init(f"{url}?options=-csearch_path%3Dmine+-cwork_mem%3D8MB")
    assert backup.dump(f"{url}?options=-csearch_path%3Dmine+-cwork_mem%3D8MB", tmp_path).stat().st_size
