"""An attempt's checkpoints on disk: the newest and the one before, each with a digest beside it.

A checkpoint counts once its description is in place, and only while its content has the digest in that description. A
torn, damaged or foreign file is passed over.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from hpo import files

KEPT = 2
Failpoint = Callable[[str], None]
"""Called with the name of each step at which a crash must leave a whole checkpoint; tests kill the process there."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint as its description states it."""

    path: Path
    epoch: int
    """Number of epochs that the checkpoint holds."""
    sha256: str
    owner: str
    """Token of the attempt that wrote it. A folder with the same name may belong to another study or machine."""

    def is_whole(self) -> bool:
        """Return whether the file exists and has its digest. This reads the whole file."""
        try:
            return files.digest(self.path) == self.sha256
        except OSError:
            return False


def path_of(folder: Path, epoch: int) -> Path:
    return folder / f"checkpoint-{epoch:05d}.pt"


def write(
    folder: Path, epoch: int, owner: str, content: Callable[[BinaryIO], object], failpoint: Failpoint = lambda _: None
) -> Saved:
    """Write the newest checkpoint into ``folder`` with ``content``; of the older ones only the newest stays.

    The file is written under another name, flushed to disk and renamed. Its description follows in the same way. Raises
    OSError.
    """
    path = path_of(folder, epoch)
    with files.written_aside(path, flush=True) as aside:
        with aside.open("wb") as file:
            content(file)
        failpoint("written")
        saved = Saved(path, epoch, files.digest(aside), owner)
    failpoint("renamed")
    _describe(saved)
    failpoint("described")
    _drop_older(folder, owner)
    failpoint("dropped")
    return saved


def adopt(file: Path, folder: Path, saved: Saved) -> Saved:
    """Move ``file``, which has the digest of ``saved``, into ``folder`` as an ordinary checkpoint."""
    kept = replace(saved, path=path_of(folder, saved.epoch))
    file.replace(kept.path)
    _describe(kept)
    return kept


def found(folder: Path, owner: str) -> list[Saved]:
    """List the checkpoints of ``owner`` that have a description, newest first. Their content is not checked."""
    return sorted((saved for saved in _described(folder) if saved.owner == owner), key=lambda each: -each.epoch)


def newest(folder: Path, owner: str) -> Saved | None:
    """Return the newest whole checkpoint of ``owner``."""
    return next((saved for saved in found(folder, owner) if saved.is_whole()), None)


def reject(path: Path) -> None:
    """Let the checkpoint ``path``, whose content can't be used, belong to nobody."""
    with suppress(OSError):
        path.with_suffix(".json").unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove all checkpoints, also those that are half written, half fetched or of older versions."""
    files.remove_leftovers(folder, "checkpoint*", older_than_s=0)
    for file in folder.glob("checkpoint*"):
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


def _describe(saved: Saved) -> None:
    target = saved.path.with_suffix(".json")
    text = json.dumps({"epoch": saved.epoch, "sha256": saved.sha256, "owner": saved.owner})
    files.write_text(target, text, flush=True)
    files.flush_folder(target.parent)


def _described(folder: Path) -> Iterator[Saved]:
    for file in folder.glob("checkpoint-*.json"):
        try:
            raw = json.loads(file.read_text())
            yield Saved(file.with_suffix(".pt"), int(raw["epoch"]), str(raw["sha256"]), str(raw["owner"]))
        except (OSError, ValueError, LookupError, TypeError):
            continue  # deleted since it was listed, or damaged: then its checkpoint does not count


def _drop_older(folder: Path, owner: str) -> None:
    """Remove older checkpoints. Their descriptions go first: a checkpoint without one belongs to nobody."""
    keep = {saved.path for saved in found(folder, owner)[:KEPT]}
    for description in folder.glob("checkpoint-*.json"):
        if description.with_suffix(".pt") not in keep:
            description.unlink(missing_ok=True)
    for file in folder.glob("checkpoint-*.pt"):
        if file not in keep:
            file.unlink(missing_ok=True)
    files.remove_leftovers(folder, "checkpoint-*", older_than_s=0)  # no one else writes here
