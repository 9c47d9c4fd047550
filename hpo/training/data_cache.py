"""What is kept of a dataset's files between trainings, under ``$HPO_HOME/cache``: nothing is written beside the data.

All of it can be made again, and all files hold data only: reading one runs no code. A file that is torn, foreign or of
another version counts as missing, and a failed write is logged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hpo import files
from hpo.training.cache import UNREADABLE

log = logging.getLogger(__name__)

MOST = 12
"""Number of folders of images, and of label files, that stay: those that were used last."""


def unusable(place: Path, error: Exception) -> None:
    """Log that a part of the cache can't be used."""
    log.warning("data.cache_unusable", extra={"file": str(place), "error": str(error)})


class KeptFolders:
    """Folders below one, each with what is kept of the images of one folder of data."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder = folder
        self._most = most
        self._known: dict[str, Path] = {}

    def base(self) -> Path:
        """Return the folder of all of them, made if need be. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def file(self, key: str, name: str) -> Path:
        """Return the place of the file ``name`` (a digest) of the folder with this ``key``. Raises OSError."""
        if key not in self._known:
            folder = self._folder / hashlib.sha256(os.fsencode(key)).hexdigest()[:24]
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)
            _forget(list(self._folder.iterdir()), self._most)
            self._known[key] = folder
        inner = self._known[key] / name[:2]  # a folder of 100,000 files is slow to list
        inner.mkdir(parents=True, exist_ok=True)
        return inner / name


class LabelCache:
    """Ultralytics' labels of a split as it read them, by its own hash over the files' paths, sizes and times."""

    def __init__(self, folder: Path, version: str, most: int = MOST) -> None:
        """Use ``folder`` for labels of this ``version`` of Ultralytics' format."""
        self._folder = folder
        self._version = version
        self._most = most

    def load(self, name: str) -> dict[str, Any] | None:
        """Return what was saved with this hash, or None."""
        file = self._file(name)
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                found = _unpacked(arrays)
            os.utime(file)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            unusable(file, error)
            return None
        return found if (found["hash"], found["version"]) == (name, self._version) else None

    def save(self, found: dict[str, Any]) -> None:
        """Keep what Ultralytics found; the file is whole at any moment."""
        file = self._file(found["hash"])
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with files.written_aside(file) as aside, aside.open("wb") as opened:
                np.savez(opened, allow_pickle=False, **_packed(found))
            _forget(list(self._folder.glob("*.npz")), self._most)
        except OSError as error:
            unusable(file, error)

    def _file(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(f'{name} {self._version}'.encode()).hexdigest()[:32]}.npz"


def _forget(found: list[Path], most: int) -> None:
    """Remove all but the ``most`` files or folders that were used last."""
    if len(found) <= most:
        return
    for old in sorted(found, key=_used_at)[:-most]:
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            with suppress(OSError):
                old.unlink(missing_ok=True)


def _used_at(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except FileNotFoundError:  # another process has just removed it
        return 0.0


def _packed(found: dict[str, Any]) -> dict[str, Any]:
    labels = found["labels"]
    segments = [segment for label in labels for segment in label["segments"]]
    facts = {name: found[name] for name in ("hash", "version", "results", "msgs")}
    facts |= {"files": [label["im_file"] for label in labels], "shapes": [label["shape"] for label in labels]}
    return {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "classes": _joined([label["cls"] for label in labels], 1),
        "boxes": _joined([label["bboxes"] for label in labels], 4),
        "box_counts": np.array([len(label["cls"]) for label in labels], np.int64),
        "points": _joined(segments, 2),
        "point_counts": np.array([len(segment) for segment in segments], np.int64),
        "segment_counts": np.array([len(label["segments"]) for label in labels], np.int64),
    }


def _joined(arrays: list[Any], width: int) -> Any:
    return np.concatenate([np.empty((0, width), np.float32), *arrays]).astype(np.float32, copy=False)


def _unpacked(arrays: Any) -> dict[str, Any]:
    """Return labels as Ultralytics' scan makes them. Raises one of ``UNREADABLE`` where the file is not ours."""
    facts = json.loads(arrays["facts"].tobytes())
    classes, boxes = (_split(arrays[name], arrays["box_counts"]) for name in ("classes", "boxes"))
    points = _split(arrays["points"], arrays["point_counts"])
    ends = np.cumsum(arrays["segment_counts"]).tolist()
    labels = [
        {
            "im_file": file,
            "shape": tuple(shape),
            "cls": cls,
            "bboxes": box,
            "segments": points[end - count : end],
            "keypoints": None,
            "normalized": True,
            "bbox_format": "xywh",
        }
        for file, shape, cls, box, end, count in zip(
            facts["files"], facts["shapes"], classes, boxes, ends, arrays["segment_counts"].tolist(), strict=True
        )
    ]
    known = {name: facts[name] for name in ("hash", "version", "msgs")}
    return {**known, "labels": labels, "results": tuple(facts["results"])}


def _split(joined: Any, counts: Any) -> list[Any]:
    if int(counts.sum()) != len(joined):
        raise ValueError("holds arrays that do not fit each other")
    return np.split(joined, np.cumsum(counts)[:-1]) if len(counts) else []
