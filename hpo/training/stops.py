"""How a training ends before its last epoch: raised inside Ultralytics' loop, which leaves last.pt resumable."""

from __future__ import annotations

import errno

from hpo.trial.vocabulary import Reason


class Stop(Exception):
    """Ends the training with ``reason``."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else str(reason))


_OUT_OF_MEMORY = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "unable to find an engine",
)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def classify(error: BaseException) -> tuple[Reason, str]:
    """The reason that an exception from a training stands for, and one line for a person."""
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
    if isinstance(error, Stop):
        return error.reason, error.detail
    if isinstance(error, MemoryError):
        return Reason.HOST_OOM, line
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY):
        # a plain CPU allocation that fails reads "DefaultCPUAllocator: can't allocate memory": that is the host's
        return Reason.OOM, line
    if "DefaultCPUAllocator" in str(error):
        return Reason.HOST_OOM, line
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return Reason.DISK, line
        cause = cause.__cause__ or cause.__context__
    if _is_about_data(error):
        return Reason.DATA, line
    return Reason.CRASH, line


def _is_about_data(error: BaseException) -> bool:
    """Ultralytics wraps what it finds wrong in a dataset (engine/trainer.py get_dataset, data/base.py)."""
    text = str(error)
    return (text.startswith("Dataset '") and "error" in text) or (
        isinstance(error, (FileNotFoundError, RuntimeError))
        and ("No images found in" in text or "No valid images" in text)
    )
