"""A training that takes the whole device: out of memory if another one runs at the same time."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

from hpo import processes
from hpo.trial.messages import Ended, EpochReport, Memory, Message, Started, encode
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason

COMPANY_S = 60.0


def beside_none(request_json: str, pipe: Connection, lifeline: Connection) -> None:
    """Fail if another training runs. The first attempt of all waits for another one, so that the two surely meet."""
    processes.end_with_pipe(lifeline)
    request = TrialRequest.from_json(request_json)
    running = Path(request.data).parent / "running"
    running.mkdir(exist_ok=True)
    (running / str(os.getpid())).touch()
    until = time.monotonic() + COMPANY_S * (request.number == 0 and request.attempt == 1)
    while not _others(running) and time.monotonic() < until:
        time.sleep(0.01)
    _train(request, pipe, lambda: _others(running))


def never(request_json: str, pipe: Connection, lifeline: Connection) -> None:
    """Fail also if no other training runs."""
    processes.end_with_pipe(lifeline)
    _train(TrialRequest.from_json(request_json), pipe, lambda: True)


def modest(request_json: str, pipe: Connection, lifeline: Connection) -> None:
    """Take 400 MiB and report it; the first N attempts (N ends the study's name) wait until all of them have begun."""
    processes.end_with_pipe(lifeline)
    request = TrialRequest.from_json(request_json)
    running = Path(request.data).parent / f"running-{request.study}"
    running.mkdir(exist_ok=True)
    (running / str(os.getpid())).touch()
    batch = int(str(request.train["batch"]))
    _say(pipe, Started({"batch": batch, "imgsz": 640, "device": "cpu"}), Memory(400.0))
    _report(pipe, 1)
    wanted, until = int(request.study.rpartition("-")[2]), time.monotonic() + COMPANY_S
    while len(list(running.iterdir())) < wanted and time.monotonic() < until:
        time.sleep(0.01)
    (running.parent / f"saw-{request.number}-{1 + len(_others(running))}").touch()
    _complete(request, pipe, 1)


def _train(request: TrialRequest, pipe: Connection, is_full: object) -> None:
    assert callable(is_full)
    _say(pipe, Started({"batch": 8, "imgsz": 64, "device": "cpu"}))
    for epoch in range(request.known_epochs + 1, 4):
        if is_full():
            _say(pipe, Ended(Reason.OOM, "CUDA out of memory", epoch - 1, None, {}, None, time.time()))
            return
        _report(pipe, epoch)
    _complete(request, pipe, 3)


def _complete(request: TrialRequest, pipe: Connection, epochs: int) -> None:
    """End with a value of the trial's own: a search whose first trials are all alike would be ended."""
    value = 0.5 + request.number / 100
    _say(pipe, Ended(Reason.COMPLETE, "", epochs, value, {"map50": value}, epochs, time.time()))


def _report(pipe: Connection, epoch: int) -> None:
    _say(pipe, EpochReport(epoch, epoch / 10, {"train/box_loss": 1.0}, 0.1, time.time()))
    pipe.recv_bytes()


def _say(pipe: Connection, *messages: Message) -> None:
    for message in messages:
        pipe.send_bytes(encode(message))


def _others(running: Path) -> list[Path]:
    """Return the marks of living processes."""
    return [mark for mark in running.iterdir() if int(mark.name) != os.getpid() and Path(f"/proc/{mark.name}").exists()]
