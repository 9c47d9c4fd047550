"""Trainings with one fault each, as entries of forked processes."""

from __future__ import annotations

import errno
from multiprocessing.connection import Connection
from typing import Any

from hpo.training import child


def out_of_device_memory(request: str, pipe: Connection, lifeline: Connection) -> None:
    """Make the forward pass run out of memory, as on a GPU; Ultralytics would halve the batch and go on."""
    from hpo.training.ultralytics_internals.yolo import TrialRun

    def fail(_self: Any, _batch: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")

    setattr(TrialRun, "preprocess_batch", fail)  # noqa: B010  (a plain assignment would have to fit the type)
    child.main(request, pipe, lifeline)


def out_of_host_memory(request: str, pipe: Connection, lifeline: Connection) -> None:
    """Make the first batch ask torch's allocator for more memory than any host has."""
    import torch

    from hpo.training.ultralytics_internals.yolo import TrialRun

    def fail(_self: Any, _batch: Any) -> Any:
        return torch.empty(2**50, dtype=torch.uint8)

    setattr(TrialRun, "preprocess_batch", fail)  # noqa: B010  (a plain assignment would have to fit the type)
    child.main(request, pipe, lifeline)


def full_disk(request: str, pipe: Connection, lifeline: Connection) -> None:
    """Make the disk full at the first checkpoint of Ultralytics."""
    from hpo.training.ultralytics_internals.yolo import TrialRun

    def fail(_self: Any) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    setattr(TrialRun, "save_model", fail)  # noqa: B010  (a plain assignment would have to fit the type)
    child.main(request, pipe, lifeline)


def bug(request: str, pipe: Connection, lifeline: Connection) -> None:
    from hpo.training.ultralytics_internals.yolo import TrialRun

    def fail(_self: Any) -> Any:
        raise ZeroDivisionError("a bug of ours")

    setattr(TrialRun, "validate", fail)  # noqa: B010  (a plain assignment would have to fit the type)
    child.main(request, pipe, lifeline)


def with_loader_processes(request: str, pipe: Connection, lifeline: Connection) -> None:
    """Make two processes load images, as on a GPU; on a CPU Ultralytics starts none."""
    from hpo.training.ultralytics_internals.yolo import TrialRun

    plain = TrialRun.get_dataloader

    def get_dataloader(run: Any, *given: Any, **named: Any) -> Any:
        run.args.workers = 2
        return plain(run, *given, **named)

    setattr(TrialRun, "get_dataloader", get_dataloader)  # noqa: B010  (a plain assignment would have to fit the type)
    child.main(request, pipe, lifeline)
