"""A worker whose training is a fake: ``python -m tests.soak.node URL FOLDER SLOTS EPOCHS EPOCH_S CRASH_RATE``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from typing_extensions import override

from hpo.errors import StorageUnavailable
from hpo.orchestration.stop import StopRequest, on_signals
from hpo.orchestration.worker import Company, Site, Worker
from hpo.study import snapshot
from hpo.study.lifecycle import load
from hpo.study.registry import Life
from hpo.study.storage import open_storage
from hpo.study.worker_session import WorkerSession
from hpo.trial.messages import Ended, EpochReport
from hpo.trial.ports import Mirror, Watcher
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reaction
from tests.soak.fake import FakeLauncher
from tests.study.support import OUTSIDE


class Nobody(Watcher, Mirror):
    """Looks on and mirrors nothing."""

    @override
    def trial_started(self, request: TrialRequest, *, resumed_from: int) -> None:
        return

    @override
    def progress(self, number: int, stage: str, epoch: int, fraction: float) -> None:
        return

    @override
    def epoch_ended(self, number: int, report: EpochReport) -> None:
        return

    @override
    def trial_ended(self, number: int, ended: Ended, reaction: Reaction) -> None:
        return

    @override
    def trial_lost(self, number: int) -> None:
        return

    @override
    def touch(self, number: int) -> None:
        return


def main(url: str, folder: Path, slots: int, launcher: FakeLauncher) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    stop = StopRequest()
    with on_signals(stop), open_storage(url, create=False, lease_s=2) as storage:
        study = load(storage, "digits")
        session = WorkerSession(storage, study, Life(folder.name, ("cpu",) * slots), OUTSIDE)
        site = Site(folder, "model.yaml", folder / "data.yaml", OUTSIDE, ("cpu",) * slots)
        company = Company(session, launcher, Nobody(), Nobody(), lambda: snapshot.trials(storage, study))
        try:
            Worker(study, site, company, stop).run()
        finally:
            session.close()
    sys.exit(stop.exit_code)


if __name__ == "__main__":
    address, place, count, epochs, epoch_s, crash_rate = sys.argv[1:]
    trainer = FakeLauncher(int(epochs), float(epoch_s), float(crash_rate))
    try:
        main(address, Path(place), int(count), trainer)
    except StorageUnavailable as outage:
        print(outage, file=sys.stderr)  # noqa: T201
        sys.exit(4)
