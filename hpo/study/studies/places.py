"""Where a study's data and starting weights lie on this machine, if not where the study names them.

Content decides what a study's data is, so its path may change. The place of each file is remembered in the study's
folder under HPO_HOME: as it was named, and as seen from that folder, so that both may move together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from hpo import files
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.studyfile.reading.train_files import FileArgument

Kind = Literal["data", "model"] | FileArgument
"""Keys of a study file that name a file; those of ``FileArgument`` stand under ``train``."""
_KINDS: tuple[Kind, ...] = ("data", "model", *get_args(FileArgument))
_FILE = "places.json"


def data(storage: Storage, study: StudyRow, given: Path | None = None) -> Path:
    """Return the study's data.yaml on this machine: the one that was ``given``, remembered, or is named by the study.

    It need not exist, and its content is not compared.
    """
    return given or known(storage.home, study.searched_name, "data") or Path(study.spec.data)


def moved(storage: Storage, study: StudyRow) -> dict[str, Path]:
    """Return the places of the study's files on this machine that are remembered, by key."""
    found = {kind: known(storage.home, study.searched_name, kind) for kind in _KINDS}
    return {kind: path for kind, path in found.items() if path is not None}


def known(home: Path | None, name: str, kind: Kind) -> Path | None:
    """Return the remembered place of a file of the study ``name``, if a file is there."""
    if home is None:
        return None
    folder = _folder(home, name)
    return next((path for path in _remembered(folder, kind) if path.is_file()), None)


def remember(home: Path, name: str, kind: Kind, path: Path) -> None:
    """Remember where a file of the study ``name`` lies, for the next command on this HPO_HOME."""
    folder, path = _folder(home, name), path.absolute()
    before = _read(folder)
    place = {"path": str(path), "near": os.path.relpath(path, folder)}
    if before.get(kind) != place:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_text(folder / _FILE, json.dumps({**before, kind: place}, indent=2))


def _folder(home: Path, name: str) -> Path:
    return home / "studies" / name


def _remembered(folder: Path, kind: Kind) -> Iterator[Path]:
    place = _read(folder).get(kind)
    if place is not None:
        yield Path(os.path.normpath(folder / place["near"]))
        yield Path(place["path"])


def _read(folder: Path) -> dict[str, dict[str, str]]:
    """Return what is remembered; nothing where the file is missing or damaged: it can be named again."""
    try:
        found = json.loads((folder / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
