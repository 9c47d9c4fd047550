"""A worker for the test of inherited secrets: prints what a trial says, and what the worker itself still has."""

from __future__ import annotations

import json
import os
import signal
import sys
from multiprocessing import forkserver
from pathlib import Path

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.training import environment
from tests.launchers import entries


def say(launcher: ForkserverLauncher) -> None:
    process = launcher._spawn(entries.inherited, "{}")
    said = json.loads(process.receive_text(120))
    sys.stdout.write(json.dumps([*said, dict(os.environ)]) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()
    process.kill()


def main(home: Path) -> None:
    launcher = ForkserverLauncher(entries.inherited, "hpo.processes", environment.prepare(home))
    say(launcher)
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGKILL)
    os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    say(launcher)  # the standard library starts it again


if __name__ == "__main__":
    main(Path(sys.argv[1]))
