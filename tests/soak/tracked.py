"""An MLflow server on PostgreSQL that can be killed and restarted, and the content that it must have at the end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter, defaultdict
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

from hpo.servers import Address
from hpo.settings import Settings
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow, TrialRow
from hpo.study.studies import snapshot
from hpo.tracking import ui
from hpo.trial.vocabulary import Reason, TrialState
from hpo.wiring.projecting import projector
from tests.postgres import free_port

STATUS = {
    None: "RUNNING",
    Reason.COMPLETE: "FINISHED",
    Reason.PRUNED: "KILLED",
    Reason.DIVERGED: "KILLED",
    Reason.OOM: "KILLED",
    Reason.KILLED: "FAILED",
    Reason.HUNG: "FAILED",
    Reason.CRASH: "FAILED",
    Reason.DATA: "FAILED",
}


class Tracking:
    """A context manager. Its artifacts go through the server, like those of nodes on other machines."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._settings = Settings(folder, "", database_url, folder / "mlartifacts")
        self._address = Address("127.0.0.1", free_port())
        self._serving: AbstractContextManager[Popen[bytes]] | None = None
        self._process: Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return self._address.url

    def restart(self) -> None:
        """Kill the server at once."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.__exit__()
        self._wait_for_the_port()
        self.__enter__()

    def _wait_for_the_port(self) -> None:
        """Wait until the port is free: the server's children end a moment after it."""
        end = time.monotonic() + 30
        while True:
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self._address.host, self._address.port))
                return
            assert time.monotonic() < end, "MLflow's port stays taken"
            time.sleep(0.1)

    def __enter__(self) -> Self:
        self._serving = ui.server(self._settings, self._address)
        self._process = self._serving.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._serving is not None:
            serving, self._serving = self._serving, None
            serving.__exit__(None, None, None)


def check(settings: Settings, storage: Storage, study: StudyRow) -> dict[str, int]:
    """After ``hpo sync`` MLflow equals the database: each trial has one run, with its status and its curve."""
    import mlflow

    before = _runs(mlflow.MlflowClient(settings.tracking_uri), study)
    synced = projector(settings, storage, study).everything()
    again = projector(settings, storage, study).everything()
    projector(settings, storage, study).plots()
    assert (again.created, again.updated, again.duplicates_deleted) == (0, 0, 0), again
    client = mlflow.MlflowClient(settings.tracking_uri)
    runs = _runs(client, study)
    for row in snapshot.trials(storage, study):
        _check_trial(client, runs[f"{study.uuid}/{row.number}"], storage, study, row)
    doubled = sum(count - 1 for count in Counter({key: len(found) for key, found in before.items()}).values())
    return {"synced": synced.created + synced.updated, "doubled before sync": doubled}


def _runs(client: Any, study: StudyRow) -> dict[str, list[Any]]:
    experiment = client.get_experiment_by_name(study.name)
    found: dict[str, list[Any]] = defaultdict(list)
    token = None
    while True:
        page = client.search_runs([experiment.experiment_id], max_results=500, page_token=token)
        for run in page:
            found[run.data.tags["hpo.trial"]].append(run)
        token = page.token
        if not token:
            return found


def _check_trial(client: Any, runs: list[Any], storage: Storage, study: StudyRow, row: TrialRow) -> None:
    (run,) = runs
    assert run.info.status == STATUS[row.reason], (row.number, row.reason)
    assert all(run.data.params[name] == str(value) for name, value in row.params.items())
    curve = snapshot.epochs(storage, study, row.number)
    history = client.get_metric_history(run.info.run_id, "epoch_s")
    assert {point.step for point in history} == {epoch.epoch for epoch in curve}, row.number
    assert len(history) == len(curve), row.number
    if row.state is TrialState.COMPLETE:
        assert run.data.metrics["value"] == row.value
