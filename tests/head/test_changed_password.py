"""A role gets another password while a study runs: the files that named the old one are read again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, make_url, text
from typing_extensions import override

from hpo.head.postgres import OWNER
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.settings import adopt_file, load_settings
from hpo.study.database.storage import open_storage
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.trial.messages import EpochReport
from hpo.trial.vocabulary import Reason
from tests.head.conftest import Server
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.node import Nobody
from tests.study.session import invariants
from tests.study.support import FACTS, IDENTITY, study_spec

EPOCHS = 3
FIRST, SECOND = "first pass: 100%", "second/pass@word"
END_CONNECTIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'"


def execute(url: str, *statements: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", "\\:")))
    engine.dispose()


class Changing(Nobody):
    """Watcher that changes the password after the first trial's first epoch, and the file some seconds later."""

    def __init__(self, change: Callable[[], None], write: Callable[[], None]) -> None:
        self._change, self._write = change, write

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        if number == 0 and report.epoch == 1:
            self._change()
            threading.Timer(2.0, self._write).start()


@pytest.mark.parametrize(
    "named",
    [
        "HPO_STORAGE_PASSWORD_FILE",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("HPO_STORAGE_FILE", "--env-file", "PGPASSFILE")),
    ],
)
def test_a_password_that_changes_in_mid_run_costs_no_trial(
    named: str, server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"changing_{database}"
    execute(
        server.url(database),
        f"CREATE ROLE {role} LOGIN PASSWORD '{FIRST}' IN ROLE {OWNER}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
        f"GRANT CONNECT ON DATABASE {database} TO {role}",
    )
    bare, file = f"postgresql://{role}@127.0.0.1:{server.port}/{database}", tmp_path / "secret"

    def write(password: str) -> None:
        whole = bare.replace("@", f":{quote(password, safe='')}@")
        libpq = password.replace(":", "\\:")
        lines = {
            "HPO_STORAGE_FILE": whole,
            "--env-file": f"HPO_STORAGE={whole}",
            "PGPASSFILE": f"*:*:*:{role}:{libpq}",
        }
        file.write_text(lines.get(named, password))
        file.chmod(0o600)

    write(FIRST)
    for name in ("HPO_STORAGE", "HPO_STORAGE_FILE", "HPO_STORAGE_PASSWORD_FILE", "HPO_ENV_FILE"):
        monkeypatch.setenv(name, "")
    if named in ("HPO_STORAGE_PASSWORD_FILE", "PGPASSFILE"):
        monkeypatch.setenv("HPO_STORAGE", bare)
    if named == "--env-file":
        adopt_file(file)
    else:
        monkeypatch.setenv(named, str(file))

    with open_storage(load_settings().storage_url, create=True) as storage:
        study = create_or_join(storage, study_spec(trials=2, patience_s=60.0), IDENTITY, FACTS)
        changed = f"ALTER ROLE {role} PASSWORD '{SECOND}'", END_CONNECTIONS.format(role=role)
        watcher = Changing(lambda: execute(server.url(database), *changed), lambda: write(SECOND))
        with WorkerSession(storage, study, Life("w", ("cpu",)), None) as session:
            workspace = Workspace(tmp_path, "m.yaml", tmp_path / "data.yaml", None, ("cpu",))
            services = Services(session, FakeLauncher(Pace(EPOCHS, 0.1)), Nobody(), watcher, storage)
            Worker(study, workspace, services, StopRequest()).run()
        invariants.check_end(storage, study)
        rows = snapshot.trials(storage, study)
        assert [(row.reason, row.epochs, len(row.attempts)) for row in rows] == [(Reason.COMPLETE, EPOCHS, 1)] * 2
