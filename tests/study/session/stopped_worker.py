"""A worker that stops itself once at a named point: ``python -m tests.study.session.stopped_worker URL POINT``.

After SIGCONT it goes on to the study's end.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from hpo.errors import StorageUnavailable
from hpo.orchestration.heartbeat import heartbeat
from hpo.study.database.storage import open_storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies.lifecycle import load
from tests.study.support import train


def finish(session: WorkerSession) -> None:
    """Train every admitted trial until the study is finished; wait during an outage."""
    while True:
        try:
            proposal = session.admit()
            if proposal is not None:
                train(session, proposal)
            elif session.finished() is not None:
                return
            else:
                time.sleep(0.1)
        except StorageUnavailable:
            time.sleep(0.1)


def main(url: str, point: str) -> None:
    left = [point]

    def failpoint(reached: str) -> None:
        if reached in left:
            left.remove(reached)
            os.kill(os.getpid(), signal.SIGSTOP)

    with open_storage(url, create=False, lease_s=2.0) as storage:
        session = WorkerSession(storage, load(storage, "digits"), "stopped", None, failpoint=failpoint)
        with session, heartbeat(session.beat, session.beat_every_s):
            finish(session)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
