"""Entries for the children of the launcher tests, instead of a training; the forked process imports them by name."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hpo import processes
from hpo.trial.messages import Ended, Progress, encode
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason


def misbehave(_request: str, pipe: Connection, lifeline: Connection) -> None:
    """Send a message, then do the action that the request's ``study`` names."""
    processes.end_with_pipe(lifeline)
    from hpo.trial.request import TrialRequest

    pipe.send_bytes(encode(Progress("train", 1, 0.5)))
    request = TrialRequest.from_json(_request)
    if request.study.endswith(" later"):
        ended = Ended(Reason.COMPLETE, "", 1, 0.5, {}, 1, time.time())
        AttemptPaths(Path(request.folder)).ended.write_bytes(encode(ended))
    match request.study.removesuffix(" later"):
        case "exit":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "silent":
            time.sleep(600)
        case "deaf":
            os.kill(os.getpid(), signal.SIGINT)
            pipe.send_bytes(encode(Progress("train", 1, 1.0)))
        case _:
            return


def with_loader_workers(_request: str, pipe: Connection, lifeline: Connection) -> None:
    """Start two processes of a real data loader, send their ids, and hang."""
    processes.end_with_pipe(lifeline)
    from torch.utils.data import DataLoader

    numbers: Any = range(1000)
    loader: DataLoader[int] = DataLoader(numbers, num_workers=2, persistent_workers=True)
    batches: Any = iter(loader)
    next(batches)
    workers = " ".join(str(worker.pid) for worker in batches._workers)
    pipe.send_bytes(f"{os.getpid()} {workers}".encode())
    time.sleep(600)


def devices_of_the_preload(_request: str, pipe: Connection, lifeline: Connection) -> None:
    """Send what the preload has imported, and whether it touched a GPU."""
    processes.end_with_pipe(lifeline)
    import sys

    import torch

    loaded = [name for name in ("torch._inductor", "ultralytics", "polars", "mlflow", "optuna") if name in sys.modules]
    pipe.send_bytes(f"{torch.cuda.is_initialized()} {' '.join(loaded)}".encode())


def inherited(_request: str, pipe: Connection, lifeline: Connection) -> None:
    """Send the id of this process, the forkserver's id, and the environment as Python sees it."""
    processes.end_with_pipe(lifeline)
    pipe.send_bytes(json.dumps([os.getpid(), os.getppid(), dict(os.environ)]).encode())
    time.sleep(600)


def imported(request: str, pipe: Connection, _lifeline: Connection) -> None:
    """Send whether the module that ``request`` names is imported."""
    pipe.send_bytes(str(request in sys.modules).encode())
