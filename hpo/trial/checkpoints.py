"""An attempt's checkpoints on disk: the newest and the one before, each with a digest beside it.

A checkpoint counts once its description is in place, and only while its content has the digest that stands there: a
torn, damaged or foreign file is passed over.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hpo import files

KEPT = 2
Failpoint = Callable[[str], None]
"""Called with the name of each step at which a death must leave a whole checkpoint; tests kill the process there."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint as its description has it."""

    path: Path
    epoch: int
    """Epochs that it holds."""
    sha256: str
    owner: str
    """Token of the attempt that wrote it. A folder of the same name may be of another study, or of another machine."""

    def is_whole(self) -> bool:
        """Whether the file is there and has its digest: reads all of it."""
        try:
            return files.digest(self.path) == self.sha256
        except OSError:
            return False


def path_of(folder: Path, epoch: int) -> Path:
    return folder / f"checkpoint-{epoch:05d}.pt"


def write(
    folder: Path, epoch: int, owner: str, content: Callable[[BinaryIO], object], failpoint: Failpoint = lambda _: None
) -> Saved:
    """What ``content`` writes becomes the newest checkpoint in ``folder``; of the others the newest stays.

    Written aside, flushed to disk, renamed; so is its description, after it. Raises OSError.
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
    """Moves ``file``, which has the digest of ``saved``, into ``folder`` as a checkpoint like any other there."""
    kept = Saved(path_of(folder, saved.epoch), saved.epoch, saved.sha256, saved.owner)
    file.replace(kept.path)
    _describe(kept)
    return kept


def found(folder: Path, owner: str) -> list[Saved]:
    """Those of ``owner`` that have a description, newest first; whether they are whole was not looked at."""
    return sorted((saved for saved in _described(folder) if saved.owner == owner), key=lambda each: -each.epoch)


def newest(folder: Path, owner: str) -> Saved | None:
    """The newest of ``owner`` that is whole."""
    return next((saved for saved in found(folder, owner) if saved.is_whole()), None)


def remove(folder: Path) -> None:
    """All of them, those that are half written or half fetched and those of older versions too."""
    files.remove_leftovers(folder, "checkpoint*", older_than_s=0)
    for file in folder.glob("checkpoint*"):
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


def _description(path: Path) -> Path:
    return path.with_suffix(".json")


def _describe(saved: Saved) -> None:
    target = _description(saved.path)
    text = json.dumps({"epoch": saved.epoch, "sha256": saved.sha256, "owner": saved.owner})
    files.write_text(target, text, flush=True)
    files.flush_folder(target.parent)


def _described(folder: Path) -> Iterator[Saved]:
    for file in folder.glob("checkpoint-*.json"):
        try:
            raw = json.loads(file.read_text())
            yield Saved(file.with_suffix(".pt"), int(raw["epoch"]), str(raw["sha256"]), str(raw["owner"]))
        except (OSError, ValueError, LookupError, TypeError):
            continue  # gone since it was listed, or damaged: then its checkpoint does not count


def _drop_older(folder: Path, owner: str) -> None:
    """Descriptions go first: a checkpoint without one is nobody's."""
    keep = {saved.path for saved in found(folder, owner)[:KEPT]}
    for description in folder.glob("checkpoint-*.json"):
        if description.with_suffix(".pt") not in keep:
            description.unlink(missing_ok=True)
    for file in folder.glob("checkpoint-*.pt"):
        if file not in keep:
            file.unlink(missing_ok=True)
    files.remove_leftovers(folder, "checkpoint-*", older_than_s=0)  # no one else writes here
