"""A worker for the test that kills it: starts a child with loader workers, prints their ids, waits."""

import sys
import time
from pathlib import Path

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import environment
from tests.launchers import entries

if __name__ == "__main__":
    launcher = ForkserverLauncher(
        entries.with_loader_workers,
        "hpo.training.ultralytics_internals.preload",
        environment.prepare(Path(sys.argv[1])),
    )
    process = launcher._spawn(entries.with_loader_workers, "{}")
    sys.stdout.write(process.receive_text(120) + "\n")
    sys.stdout.flush()
    time.sleep(600)
