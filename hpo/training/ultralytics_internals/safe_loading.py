"""Weights are unpickled by Ultralytics' safe loading, which makes nothing but the parts of a detector."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ultralytics.nn import tasks

from hpo import files
from hpo.errors import UsageError

_STOCK = tasks.torch_safe_load
_MOST_PICKLED, _MOST_EXPANDED = 1 << 26, 1 << 26
"""Bytes of a pickle, and bytes that a file may grow by when it is unpacked: torch compresses nothing."""
_REFUSED = re.compile(r"GLOBAL (\S+)|but got (\S+)")
"""Pattern of what torch's restricted unpickler will not call or make (torch 2.15, _weights_only_unpickler.py)."""
_UNKNOWN = "references types outside the supported Ultralytics checkpoint format"
"""Error text of ultralytics 8.4.190, nn/tasks.py torch_safe_load."""


def restrict(trusted: Collection[str] = ()) -> None:
    """Restrict this process, which is one of our own, from here on.

    It unpickles and evaluates nothing but the parts of a detector. Files whose sha256 is ``trusted`` are excepted.
    ``strip_optimizer`` of Ultralytics ignores all this; it reads what this process has written or has checked.
    """
    known = frozenset(trusted)

    def loaded(weight: Any, safe_only: bool | None = None) -> Any:  # noqa: ARG001, FBT001  (the signature of the original)
        return _STOCK(weight, safe_only=not (known and _is_trusted(Path(weight), known)))

    tasks.SAFE_LOAD = True
    tasks.torch_safe_load = loaded


def refuse_bomb(file: Path) -> None:
    """Raise UsageError for a file that would take far more memory than it has bytes."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return  # Ultralytics tells what it is
    pickled = max((part.file_size for part in parts if part.filename.endswith(".pkl")), default=0)
    expanded = sum(part.file_size for part in parts)
    if pickled > _MOST_PICKLED or expanded > file.stat().st_size + _MOST_EXPANDED:
        raise UsageError(
            f"{file}: not loaded: it unpacks to {expanded / 2**20:.0f} MiB, which no weights do; copy it again from "
            "where it was made"
        )


def check(file: Path) -> None:
    """Load ``file`` safely and drop it. Raises what Ultralytics raises on a file that is refused."""
    _STOCK(file, safe_only=True)


@contextmanager
def in_block(*, on: bool) -> Iterator[None]:
    """Set safe loading in the block.

    ``load_checkpoint`` has no argument for it, and the environment's ULTRALYTICS_SAFE_LOAD is read at import.
    """
    before = tasks.SAFE_LOAD
    tasks.SAFE_LOAD = on
    try:
        yield
    finally:
        tasks.SAFE_LOAD = before


def explained(path: Path, error: Exception, way_out: str) -> UsageError:
    """Explain an error of Ultralytics or torch to the person who named the file.

    ``way_out`` says how the file is trusted, where it is refused because it could run code.
    """
    text, cause = " ".join(str(error).split()), " ".join(str(error.__cause__ or "").split())
    if _UNKNOWN in text and not cause:
        return UsageError(f"{path}: holds no model; name the best.pt or last.pt of a detection training")
    refused = _REFUSED.search(cause) if _UNKNOWN in text else None
    if refused:
        return UsageError(
            f"{path}: not loaded, because it could run code: it refers to {refused[1] or refused[2]}, which is no part "
            f"of a detector. If you trust whoever made the file, {way_out}"
        )
    if "TorchScript archive" in text:
        return UsageError(f"{path}: is an export (TorchScript); name the .pt file that it was made from")
    if cause:
        return damaged(path)
    return UsageError(f"{path}: can't be loaded as weights of Ultralytics: {type(error).__name__}: {text[:300]}")


def damaged(path: Path) -> UsageError:
    return UsageError(f"{path}: is empty, cut off or no file of weights; copy it again from where it was made")


def _is_trusted(file: Path, trusted: Collection[str]) -> bool:
    try:
        return files.digest(file) in trusted
    except OSError:
        return False
