"""More workers on this machine: processes of ``hpo worker``, which end when asked and when their parent is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hpo.processes import end_with_parent


class LocalWorkers:
    """A context manager; entered from the main thread, since the kernel ties the children to the thread that starts
    them. At the block's end it waits for them, and on the way out of an error it asks them to stop first.
    """

    def __init__(self, study: str, gpus: Sequence[str], slots: int, logs: Path) -> None:
        """``gpus``: the ``--gpus`` of each worker, ``slots``: on each; its output goes to ``logs/worker-N.log``."""
        self._study = study
        self._gpus = gpus
        self._slots = ["--slots-per-gpu", str(slots)]
        self._logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []

    def forward(self, signum: int) -> None:
        """Fit for a signal handler. The workers lead sessions of their own: Ctrl-C reaches them only so."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signum)

    def __enter__(self) -> Self:
        if self._gpus:
            self._logs.mkdir(parents=True, exist_ok=True)
        for number, gpus in enumerate(self._gpus, 1):
            command = [sys.executable, "-m", "hpo", "worker", self._study, "--gpus", gpus, *self._slots]
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

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.forward(signal.SIGTERM)
        for process in self._processes:
            process.wait()
