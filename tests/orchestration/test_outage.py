"""A permanent outage of the database ends a worker, and no finished training is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url
from typing_extensions import override

from hpo.errors import StorageUnavailable
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import Storage, open_storage
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.study.studies.lifecycle import create_or_join, load
from hpo.trial.messages import EpochReport
from hpo.trial.ports import TrialProcess
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason
from tests import postgres
from tests.soak.fake import FakeLauncher, Pace
from tests.soak.node import Nobody
from tests.soak.proxy import Proxy
from tests.study.session import invariants
from tests.study.support import FACTS, IDENTITY, study_spec

EPOCHS = 3


class Counting(FakeLauncher):
    """Launcher that stores the requests that it gets."""

    def __init__(self) -> None:
        super().__init__(Pace(EPOCHS, 0.1))
        self.started: list[int] = []

    @override
    def start(self, request: TrialRequest) -> TrialProcess:
        self.started.append(request.ordinal)
        return super().start(request)


class Cutting(Nobody):
    """Watcher that disconnects the database after the second trial's first epoch."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        if number == 1 and report.epoch == 1:
            self._proxy.cut()


def work(storage: Storage, folder: Path, launcher: Counting, watcher: Nobody) -> None:
    study = load(storage, "digits")
    session = WorkerSession(storage, study, Life("w", ("cpu",)), None)
    services = Services(session, launcher, Nobody(), watcher, storage)
    Worker(study, Workspace(folder, "m.yaml", folder / "data.yaml", None, ("cpu",)), services, StopRequest()).run()


@pytest.mark.long
def test_a_worker_without_a_database_ends_and_its_result_is_told_later(postgres_server: str, tmp_path: Path) -> None:
    url = postgres.create_database(postgres_server)
    port = make_url(url).port
    assert port is not None
    with open_storage(url, create=True, lease_s=2) as direct, Proxy(port) as proxy:
        spec = study_spec(trials=3, lease_s=2.0, patience_s=3.0)
        study = create_or_join(direct, spec, IDENTITY, FACTS)
        launcher = Counting()
        cut_off = make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        with (
            open_storage(cut_off, create=False, lease_s=2) as storage,
            pytest.raises(StorageUnavailable, match="nothing is lost") as caught,
        ):
            work(storage, tmp_path, launcher, Cutting(proxy))
        assert caught.value.exit_code == 4
        assert launcher.started == [0, 1]
        assert snapshot.trial(direct, study, 1).reason is None, "told to a database that was away"

        work(direct, tmp_path, launcher, Nobody())
        invariants.check_end(direct, study)
        assert launcher.started == [0, 1, 2], "a trial that had ended was trained again"
        rows = snapshot.trials(direct, study)
        assert [(row.reason, row.epochs, len(row.attempts)) for row in rows] == [(Reason.COMPLETE, EPOCHS, 1)] * 3
    postgres.drop_database(postgres_server, url)
