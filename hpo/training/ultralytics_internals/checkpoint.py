"""Everything that a training needs to resume. Ultralytics' last.pt does not hold it (only the EMA, in fp16).

On a CPU, a training that resumes here is bit for bit the uninterrupted one, where the loader has no workers of its own
and gradients are not accumulated over the end of an epoch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils.torch_utils import unwrap_model

from hpo import files
from hpo.training.guard import DivergenceGuard
from hpo.training.stops import UnusableCheckpoint, classify
from hpo.training.ultralytics_internals import safe_loading
from hpo.trial import checkpoints
from hpo.trial.messages import EpochReport
from hpo.trial.vocabulary import Reason

SHARE = 0.02
"""Largest share of a training's time, roughly, that writing checkpoints takes."""
FORMAT = 3
_SAFE: list[Any] = [
    *(np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0], np.ndarray, np.dtype),
    *(type(np.dtype(kind)) for kind in ("uint32", "int64", "float32", "float64")),
]
"""What NumPy's random state and its numbers need to be unpickled; no kind that can hold another object."""


class Schedule:
    """Tells when a checkpoint is due, by the cost of the last one."""

    def __init__(self) -> None:
        self.announce: Callable[[int], None] = lambda _epoch: None
        self._written_at = float("-inf")
        self._cost_s = 0.0

    def due(self) -> bool:
        return time.monotonic() - self._written_at >= self._cost_s / SHARE

    @contextmanager
    def timed(self) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._written_at = time.monotonic()
        self._cost_s = self._written_at - start


def save(trainer: BaseTrainer, kept: tuple[DivergenceGuard, list[EpochReport]], folder: Path, owner: str) -> None:
    """Save the newest checkpoint of ``folder``, with what ``restore`` returns.

    best.pt is part of it: the file beside it may be of a later epoch when an attempt resumes from here.
    """
    criterion = getattr(unwrap_model(trainer.model), "criterion", None)
    guard, reports = kept
    state = {
        "format": FORMAT,
        "epoch": trainer.epoch + 1,
        "model": unwrap_model(trainer.model).state_dict(),
        "ema": trainer.ema.ema.state_dict(),
        "updates": trainer.ema.updates,
        "criterion_updates": getattr(criterion, "updates", None),
        "optimizer": trainer.optimizer.state_dict(),
        "scaler": trainer.scaler.state_dict(),
        "best_fitness": trainer.best_fitness,
        "results": trainer.csv.read_text(),
        "mosaic_buffer": list(getattr(trainer.train_loader.dataset, "buffer", [])),
        "random": _random_states(),
        "best": _bytes(trainer.best),
        "notes": {"guard": asdict(guard), "reports": [asdict(report) for report in reports]},
    }
    checkpoints.write(folder, trainer.epoch + 1, owner, lambda file: torch.save(state, file))


def restore(trainer: BaseTrainer, path: Path) -> tuple[DivergenceGuard, list[EpochReport]]:
    """Set a freshly set up training to the state of ``path``; return its guard, and its reports from epoch 1 on.

    Raises ``UnusableCheckpoint`` where that is not possible, perhaps with half of the state set: make another training
    then, in the same folder.
    """
    try:
        return _restored(trainer, path)
    except Exception as error:  # a file of another machine may hold anything
        if classify(error)[0] is not Reason.CRASH:
            raise  # memory or disk
        for file in (trainer.csv, trainer.best):
            file.unlink(missing_ok=True)
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]
        raise UnusableCheckpoint(f"checkpoint {path} can't be used ({told})") from error


def _restored(trainer: BaseTrainer, path: Path) -> tuple[DivergenceGuard, list[EpochReport]]:
    with torch.serialization.safe_globals(_SAFE):
        state = torch.load(path, map_location=trainer.device, weights_only=True)
    if state["format"] != FORMAT:
        raise ValueError(f"format {state['format']}, not {FORMAT}")
    guard, reports = _guard(**state["notes"]["guard"]), [_report(**each) for each in state["notes"]["reports"]]
    epochs = [report.epoch for report in reports]
    if not 0 < state["epoch"] < trainer.epochs or epochs != list(range(1, state["epoch"] + 1)):
        raise ValueError(f"epoch {state['epoch']} of {trainer.epochs}, with reports of {epochs}")
    unwrap_model(trainer.model).load_state_dict(state["model"])
    trainer.ema.ema.load_state_dict(state["ema"])
    trainer.ema.updates = int(state["updates"])
    _restore_criterion(trainer, state["criterion_updates"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.scaler.load_state_dict(state["scaler"])
    best = state["best_fitness"]
    trainer.best_fitness = None if best is None else float(best)
    trainer.csv.write_text(state["results"])
    trainer.start_epoch = state["epoch"]
    if state["best"] is not None:
        files.write_bytes(trainer.best, state["best"].cpu().numpy().tobytes())
        safe_loading.check(trainer.best)
    _advance_loader(trainer, state["epoch"])
    for index in state["mosaic_buffer"]:  # mosaic takes three images from the last ones loaded: load the same, in order
        trainer.train_loader.dataset.load_image(index)
    _restore_random(state["random"])
    return guard, reports


def _guard(first_cls_loss: Any, was_alive: Any, dead_epochs: Any) -> DivergenceGuard:
    return DivergenceGuard(None if first_cls_loss is None else float(first_cls_loss), bool(was_alive), int(dead_epochs))


def _report(epoch: Any, objective: Any, metrics: Any, seconds: Any, recorded_at: Any) -> EpochReport:
    numbers = {str(name): float(value) for name, value in metrics.items()}
    return EpochReport(int(epoch), float(objective), numbers, float(seconds), float(recorded_at))


def _bytes(file: Path) -> torch.Tensor | None:
    """Return a file as a tensor: torch stores that unchanged, but plain bytes as text of 1.5 times the size."""
    return torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8) if file.exists() else None


def _restore_criterion(trainer: BaseTrainer, updates: int | None) -> None:
    """Weigh the two losses of two branches as after ``updates`` epochs (utils/loss.py E2ELoss); others have none.

    A criterion that is there already stays: it may be another than the stock one.
    """
    if updates is None:
        return
    model = unwrap_model(trainer.model)
    if getattr(model, "criterion", None) is None:
        model.criterion = model.init_criterion()
    model.criterion.updates = updates - 1
    model.criterion.update()


def _advance_loader(trainer: BaseTrainer, epochs: int) -> None:
    """Draw the indices of ``epochs`` epochs without loading an image, so that the next one is shuffled as usual."""
    loader = trainer.train_loader
    closes = trainer.epochs - trainer.args.close_mosaic if trainer.args.close_mosaic else None
    if loader.num_workers:
        # worker processes prefetch over the epoch's end and draw their own randomness: only the order can be new
        loader.generator.manual_seed(loader.generator.initial_seed() + epochs)
        return
    for epoch in range(epochs):
        if epoch == closes:
            loader.reset()
        if loader.iterator is None:
            loader.iterator = loader._get_iterator()  # noqa: SLF001
        for _ in range(len(loader)):
            next(loader.iterator._sampler_iter)  # noqa: SLF001
    if closes is not None and epochs > closes:
        _skip_one_reset(loader)


def _skip_one_reset(loader: Any) -> None:
    """Skip one reset of the loader.

    In a resumed run Ultralytics closes the mosaic again and resets the loader, which would shuffle again.
    """

    def skip() -> None:
        del loader.reset

    loader.reset = skip


def _random_states() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  (Ultralytics draws from the global one)
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _restore_random(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
