"""The process of one attempt at one trial: it trains, reports each epoch over a pipe, and stores its outcome."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from dataclasses import dataclass, replace
from multiprocessing import popen_fork
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo import files, processes
from hpo.training.memory import peak_mib
from hpo.training.stops import UnusableCheckpoint, classify
from hpo.trial import checkpoints
from hpo.trial.families import Family
from hpo.trial.messages import Answer, Checkpointed, Ended, EpochReport, Memory, Message, Progress, Started, encode
from hpo.trial.paths import AttemptPaths
from hpo.trial.request import TrialRequest
from hpo.trial.vocabulary import Reason, Scalar
from hpo.version import __version__

if TYPE_CHECKING:
    from hpo.training.ultralytics_internals.yolo import TrialRun, TrialValidator

PROGRESS_EVERY_S = 0.5


@dataclass
class Channel:
    """The pipe to the worker."""

    pipe: Connection
    _last_progress: float = float("-inf")
    _last_stage: str = ""
    _most_mib: float = 0.0

    def send(self, message: Message) -> None:
        self.pipe.send_bytes(encode(message))

    def progress(self, stage: str, epoch: int, fraction: float) -> None:
        """Send progress, at most once in ``PROGRESS_EVERY_S`` for each stage: batches may take only a millisecond."""
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_EVERY_S or stage != self._last_stage:
            self._last_progress, self._last_stage = now, stage
            self.send(Progress(stage, epoch, round(fraction, 3)))

    def memory(self, mib: float) -> None:
        """Send the peak memory where it has grown by a relevant amount."""
        if mib > 1.02 * self._most_mib:
            self._most_mib = mib
            self.send(Memory(mib))

    def report(self, report: EpochReport) -> Answer:
        self.send(report)
        return Answer(self.pipe.recv_bytes().decode())


def main(request_json: str, pipe: Connection, lifeline: Connection) -> None:
    """Run the attempt in the forked process. Unless it is killed, an ``Ended`` is on disk and sent."""
    processes.end_with_pipe(lifeline)
    _fork_what_loads_images(pipe)
    request = TrialRequest.from_json(request_json)
    paths = AttemptPaths(Path(request.folder))
    paths.folder.mkdir(parents=True, exist_ok=True)
    _redirect_output(paths.log)
    channel = Channel(pipe)
    run: TrialRun | None = None
    try:
        channel.send(Progress("load", 0, 0.0))
        run = _build(request, paths, channel)
        try:
            run.train()
        except UnusableCheckpoint as error:
            run = _build(_without_checkpoint(request, error), paths, channel)
            run.train()
        ended = _completed(run, channel)
        channel.memory(peak_mib(run.device))
    except BaseException as error:  # noqa: BLE001  (every end has a reason; SystemExit and MemoryError too)
        ended = _stopped(error, run)
    _write(ended, paths.ended)
    if run is not None and _is_drawn(request, ended):
        try:
            run.draw()
        except Exception as error:  # noqa: BLE001  (the trial is complete, and stays so)
            traceback.print_exception(error)
    channel.send(ended)


def _fork_what_loads_images(pipe: Connection) -> None:
    """Fork the processes that load images, instead of starting them by a forkserver.

    A child of a forkserver starts its own children by another forkserver: each of torch's loader processes would then
    import torch and Ultralytics again, 5 s for every loader of every trial. Forked, they share this process's modules.

    They must not hold the pipe: the worker knows by its end that this process has ended. As this process, they are deaf
    to SIGTERM, so one that does not end by itself is ended with SIGKILL.
    """
    multiprocessing.set_start_method("fork", force=True)
    popen_fork.Popen.terminate = popen_fork.Popen.kill  # type: ignore[method-assign]
    os.register_at_fork(after_in_child=pipe.close)


def _is_drawn(request: TrialRequest, ended: Ended) -> bool:
    """Return whether to draw plots. Under ``plots: best`` only now is it known whether the trial is one of the best."""
    if request.plots != "best" or ended.value is None:
        return False
    return request.best_value is None or ended.value >= request.best_value


def _build(request: TrialRequest, paths: AttemptPaths, channel: Channel) -> TrialRun:
    if "torch._inductor" not in sys.modules:
        raise RuntimeError("the forkserver's preload failed: importing torch or ultralytics raised an ImportError")
    from hpo.training.ultralytics_internals import patches, safe_loading
    from hpo.training.ultralytics_internals.runs import RUNS, family_to_train

    def report(epoch: EpochReport) -> Answer:
        channel.memory(peak_mib(run.device))
        return channel.report(epoch)

    safe_loading.restrict(request.trusted)
    patches.apply(patches.threads_per_trial(request.sharing), None if request.cache is None else Path(request.cache))
    family = family_to_train(request.model)
    run = RUNS[family](request, _arguments(request, paths, family), report)
    run.checkpoints.announce = lambda epoch: channel.send(Checkpointed(epoch))
    run.add_callback("on_train_start", lambda _: channel.send(Started(_effective(run), run.resumed_from)))
    _follow_batches(run, channel)
    return run


def _without_checkpoint(request: TrialRequest, error: UnusableCheckpoint) -> TrialRequest:
    """Return the request for a training from epoch 1. The checkpoint is not offered to a later attempt again."""
    print(f"{error}; starting at epoch 1", file=sys.stderr)  # noqa: T201  (the attempt's own log)
    if request.checkpoint is not None:
        checkpoints.reject(Path(request.checkpoint))
    return replace(request, checkpoint=None)


def _follow_batches(run: TrialRun, channel: Channel) -> None:
    batches = 0

    def epoch_starts(_: object) -> None:
        nonlocal batches
        batches = 0

    def trained(_: object) -> None:
        nonlocal batches
        batches += 1
        channel.progress("train", run.epoch + 1, batches / len(run.train_loader))

    def validated(validator: TrialValidator) -> None:
        stage = "val" if validator.training else "final"
        channel.progress(stage, run.epoch + 1, (validator.batch_i + 1) / len(validator.dataloader))

    run.add_callback("on_train_epoch_start", epoch_starts)
    run.add_callback("on_train_batch_end", trained)
    run.add_callback("on_val_batch_end", validated)


def _arguments(request: TrialRequest, paths: AttemptPaths, family: Family) -> dict[str, Any]:
    """Return the requested arguments, and those that the service owns (a study file can't have ``arguments.OWNED``)."""
    from hpo.training.ultralytics_internals import patches

    fixed = {"task": "detect", "mode": "train", "save": True, "val": True, "patience": 0, "verbose": False}
    owned = fixed | {
        "model": request.model,
        "data": request.data,
        "save_dir": str(paths.folder),
        "device": _device(request.device),
        "plots": request.plots == "all",
    }
    # a trial without others keeps Ultralytics' default, so that the training is what plain Ultralytics trains
    shared = {} if request.sharing == 1 else {"workers": patches.loaders_per_trial(request.sharing)}
    return {**shared, **request.train, **family.row.fixed, **owned}


def _device(asked: str) -> str:
    if asked != "auto":
        return asked
    import torch

    return "0" if torch.cuda.is_available() else "cpu"


def _effective(run: TrialRun) -> dict[str, Scalar]:
    import torch
    import ultralytics

    optimizer = ("optimizer", "lr0", "momentum", "weight_decay", "warmup_bias_lr")
    names = ("batch", "nbs", "imgsz", "epochs", *optimizer, "seed", "amp")
    device = "cpu" if run.device.type == "cpu" else torch.cuda.get_device_name(run.device)
    versions = {"torch": torch.__version__, "ultralytics": ultralytics.__version__, "hpo": __version__}
    return {name: getattr(run.args, name) for name in names} | {"device": device} | versions


def _completed(run: TrialRun, channel: Channel) -> Ended:
    plan = run.request.sweep
    if plan is None:
        scores = run.validator.scores(run.request)
        value = scores[run.request.objective.metric]
        return Ended(Reason.COMPLETE, "", run.epochs, value, scores, run.best_epoch, time.time())
    from hpo.training.measuring.swept import settle

    return settle(run, plan, lambda stage, share: channel.progress(stage, run.epochs, share))


def _stopped(error: BaseException, run: TrialRun | None) -> Ended:
    reason, detail = classify(error)
    if reason is Reason.CRASH:
        traceback.print_exception(error)
    if run is None or not run.reports:
        return Ended(reason, detail, 0, None, {}, None, time.time())
    scores = run.validator.scores(run.request) if reason is Reason.PRUNED else {}
    return Ended(reason, detail, run.reports[-1].epoch, None, scores, run.best_epoch, time.time())


def _write(ended: Ended, path: Path) -> None:
    """Write the outcome before it is sent, so that it survives a worker that dies before it has told it."""
    try:
        files.write_bytes(path, encode(ended), flush=True)
    except OSError as error:  # a full disk: the message still reaches the worker
        print(f"{path}: not written: {error}", file=sys.stderr)  # noqa: T201  (the attempt's own log)


def _redirect_output(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
