"""More workers on this machine: processes of ``hpo worker``, which end on request and with their parent."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from hpo.processes import end_with_parent, python_command


class LocalWorkers:
    """A context manager for the workers.

    Only the main thread may enter it, since the kernel binds the children to the thread that starts them. At the
    block's end it waits for the workers; after an error it first asks them to stop.
    """

    def __init__(self, study: str, gpus: Sequence[str], options: Sequence[str], logs: Path) -> None:
        """Store the options. ``gpus`` holds ``--gpus`` of each worker and ``options`` what all get; each logs to
        ``logs/worker-N.log``.
        """
        self._study = study
        self._gpus = gpus
        self._options = options
        self._logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []

    def forward(self, signum: int) -> None:
        """Send the signal to the workers; safe in a signal handler. They lead their own sessions, so Ctrl-C does not
        reach them.
        """
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signum)

    def __enter__(self) -> Self:
        if self._gpus:
            self._logs.mkdir(parents=True, exist_ok=True)
        for number, gpus in enumerate(self._gpus, 1):
            command = python_command("hpo", "worker", self._study, "--gpus", gpus, *self._options)
            with (self._logs / f"worker-{number}.log").open("ab") as log:
                self._processes.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=end_with_parent(signal.SIGTERM),  # noqa: PLW1509  (no thread of ours runs before the workers start)
                    )
                )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is not None:
            self.forward(signal.SIGTERM)
        for process in self._processes:
            process.wait()
