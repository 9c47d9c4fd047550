"""The end of a training before its last epoch: an exception in Ultralytics' loop, which leaves last.pt resumable."""

from __future__ import annotations

import errno

from hpo.trial import failures
from hpo.trial.vocabulary import Reason


class Stop(Exception):
    """Ends the training with ``reason``."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else str(reason))


class UnusableCheckpoint(Exception):
    """A checkpoint can't be used: it is damaged, of another version, or holds what could run code."""


_NO_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_INTERNAL_ERROR", "unable to find an engine")
_NO_HOST_MEMORY = ("DefaultCPUAllocator", "could not create a primitive", "Cannot allocate memory")
"""Error texts of torch, of oneDNN (which says no more than that) and of the C library."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def classify(error: BaseException) -> tuple[Reason, str]:
    """Return the reason for an exception from a training, and one line for a person."""
    if isinstance(error, Stop):
        return error.reason, error.detail
    reason = _reason(error)
    if reason is Reason.CRASH:
        return reason, failures.described(error)
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
    return reason, f"the host's memory ran out ({line})" if reason is Reason.HOST_OOM else line


def _reason(error: BaseException) -> Reason:
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text for sign in _NO_HOST_MEMORY):
        return Reason.HOST_OOM
    if isinstance(error, RuntimeError) and any(sign in text for sign in _NO_MEMORY):
        return Reason.OOM
    if _is_full_disk(error):
        return Reason.DISK
    return Reason.DATA if _is_about_data(error) else Reason.CRASH


def _is_full_disk(error: BaseException) -> bool:
    """Return whether the error, or one that caused it, is a full disk: torch and Ultralytics wrap the disk's error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _is_about_data(error: BaseException) -> bool:
    """Return whether Ultralytics found something wrong in the dataset (engine/trainer.py get_dataset, data/base.py)."""
    text = str(error)
    return (text.startswith("Dataset '") and "error" in text) or (
        isinstance(error, (FileNotFoundError, RuntimeError))
        and ("No images found in" in text or "No valid images" in text)
    )
