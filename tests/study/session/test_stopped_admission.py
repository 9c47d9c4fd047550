"""The holder of an admission is really stopped between its count and its ask, for longer than every timeout."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from hpo.orchestration.heartbeat import heartbeat
from hpo.study.database.storage import open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from tests.study.session import invariants
from tests.study.session.stopped_worker import finish
from tests.study.support import MakeStudy, study_spec

LEASE_S = 2.0
STOPPED_S = 3 * LEASE_S
"""Seconds. This is longer than a lease and the timeouts that follow from it: idle transactions, locks, TCP."""
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "point", [pytest.param("counted", marks=pytest.mark.long), "claimed", pytest.param("asked", marks=pytest.mark.long)]
)
def test_the_budget_is_exact_whoever_was_stopped_and_continued(
    storage_url: str, make_study: MakeStudy, point: str
) -> None:
    """The point ``counted`` lies within the transaction that counts.

    With SQLite the holder blocks all others until it continues. PostgreSQL ends the transaction of the stopped holder.
    """
    study = make_study(study_spec(trials=3, lease_s=LEASE_S))
    command = [sys.executable, "-m", "tests.study.session.stopped_worker", storage_url, point]
    with subprocess.Popen(command, cwd=ROOT) as holder:
        try:
            stopped_at = _wait_until_stopped(holder.pid)
            go_on = threading.Timer(STOPPED_S, holder.send_signal, [signal.SIGCONT])
            go_on.start()
            with open_storage(storage_url, create=False, lease_s=LEASE_S) as storage:
                session = WorkerSession(storage, study, "w", None)
                with session, heartbeat(session.beat, session.beat_every_s):
                    finish(session)
                go_on.join()
                assert time.monotonic() - stopped_at >= STOPPED_S
                assert holder.wait(120) == 0
                invariants.check_end(storage, study)
                assert sum(row.counts for row in snapshot.trials(storage, study)) == 3
        finally:
            holder.kill()


def _wait_until_stopped(pid: int) -> float:
    end = time.monotonic() + 120
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < end
        time.sleep(0.02)
    return time.monotonic()
