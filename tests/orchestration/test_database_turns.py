"""A database that turns against a worker in mid-run: what was measured is told later, nothing is trained twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from typing_extensions import override

from hpo.errors import StorageUnavailable
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import open_storage
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.trial.messages import EpochReport
from hpo.trial.vocabulary import Reason
from tests import postgres
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.node import Nobody
from tests.study.session import invariants
from tests.study.support import FACTS, IDENTITY, study_spec

EPOCHS = 3
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
FULL = (
    "CREATE FUNCTION refuse_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
    "CREATE TRIGGER refuse_full BEFORE INSERT OR UPDATE ON hpo_epochs FOR EACH ROW EXECUTE FUNCTION refuse_full()",
    "CREATE TRIGGER refuse_full BEFORE UPDATE ON hpo_claims FOR EACH ROW EXECUTE FUNCTION refuse_full()",
)
TURNS = {
    "read-only": (
        ("ALTER DATABASE {db} SET default_transaction_read_only = on", END_CONNECTIONS),
        ("SET default_transaction_read_only = off", "ALTER DATABASE {db} RESET default_transaction_read_only"),
    ),
    "full": (FULL, ("DROP FUNCTION refuse_full CASCADE",)),
    "no-login": (
        ("ALTER ROLE {role} NOLOGIN", END_CONNECTIONS),
        ("ALTER ROLE {role} LOGIN",),
    ),
    "restarted": ((END_CONNECTIONS,), ()),
}
"""What happens to the database, and what mends it."""


class Turning(Nobody):
    """Watcher that turns the database after the first trial's first epoch, and mends it some seconds later."""

    def __init__(self, turn: Callable[[], None], mend: Callable[[], None]) -> None:
        self._turn, self._mend = turn, mend

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        if number == 0 and report.epoch == 1:
            self._turn()
            threading.Timer(2.0, self._mend).start()


def execute(url: str, statements: tuple[str, ...], **names: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement.format(**names) if names else statement))
    engine.dispose()


@pytest.mark.long
@pytest.mark.parametrize("turn", TURNS)
def test_what_was_measured_is_told_once_the_database_is_well_again(
    turn: str, postgres_server: str, tmp_path: Path
) -> None:
    url = postgres.create_database(postgres_server)
    names = {"db": str(make_url(url).database), "role": f"w_{make_url(url).database}"}
    execute(url, ("CREATE ROLE {role} LOGIN SUPERUSER",), **names)
    breaking, mending = TURNS[turn]
    told = make_url(url).set(username=names["role"]).render_as_string(hide_password=False)
    with open_storage(told, create=True) as storage:
        study = create_or_join(storage, study_spec(trials=2, patience_s=60.0), IDENTITY, FACTS)
        watcher = Turning(lambda: execute(url, breaking, **names), lambda: execute(url, mending, **names))
        launcher = FakeLauncher(Pace(EPOCHS, 0.1))
        with WorkerSession(storage, study, Life("w", ("cpu",)), None) as session:
            workspace = Workspace(tmp_path, "m.yaml", tmp_path / "data.yaml", None, ("cpu",))
            services = Services(session, launcher, Nobody(), watcher, storage)
            Worker(study, workspace, services, StopRequest()).run()
        invariants.check_end(storage, study)
        rows = snapshot.trials(storage, study)
        assert [(row.reason, row.epochs, len(row.attempts)) for row in rows] == [(Reason.COMPLETE, EPOCHS, 1)] * 2
    postgres.drop_database(postgres_server, url)
    execute(postgres_server, ("DROP ROLE {role}",), **names)


def test_a_write_to_a_database_that_only_reads_is_an_outage_and_not_an_error(postgres_server: str) -> None:
    url = postgres.create_database(postgres_server)
    names = {"db": str(make_url(url).database)}
    open_storage(url, create=True).close()
    execute(url, ("ALTER DATABASE {db} SET default_transaction_read_only = on",), **names)
    with open_storage(url, create=False) as storage:
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="read-only transaction"):
                create_or_join(storage, study_spec(trials=2), IDENTITY, FACTS)
        mend = "ALTER DATABASE {db} RESET default_transaction_read_only"
        execute(url, ("SET default_transaction_read_only = off", mend), **names)
        assert create_or_join(storage, study_spec(trials=2), IDENTITY, FACTS).id, "an old connection kept its setting"
    postgres.drop_database(postgres_server, url)
