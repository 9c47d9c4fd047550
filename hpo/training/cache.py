"""Captured predictions on disk, so that a later sweep of the same model runs no inference. It needs numpy only.

The cache only saves time. A file that is torn, foreign or of another format counts as missing, and a failed write is
logged. Any number of processes may use one folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import zipfile
from collections.abc import Collection
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from hpo import files
from hpo.detection.predictions import Predictions
from hpo.trial.classes import trained
from hpo.trial.operating_point import FLOOR

log = logging.getLogger(__name__)

FORMAT = 2
"""Version of the file format. It changes with the content of the files or the way predictions are made; files of
another version are never read.
"""
_FACTS = ("images", "names", "capture", "suppressed")
"""Fields of predictions that are no arrays."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
"""What the reading of a damaged .npz file raises."""


def key(weights: str, data: str, split: str, imgsz: int, capture: str) -> str:
    """Return the name of a capture's result. ``weights``: sha256 of the file; ``data``: the dataset's fingerprint."""
    parts = [weights, data, split, imgsz, capture, FLOOR, FORMAT, metadata.version("ultralytics")]
    return f"{_of_weights(weights)}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _of_weights(sha256: str) -> str:
    return sha256[:16]


class PredictionCache:
    """The files of one folder, ``KEY.npz``; at most ``keep`` stay, the ones used last."""

    def __init__(self, folder: Path, keep: int = 5) -> None:
        self._folder = folder
        self._keep = keep

    def load(self, name: str) -> Predictions | None:
        """Return what was saved under ``name``, or None."""
        file = self._file(name)
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                predictions = _read(arrays, name)
            os.utime(file)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            log.warning("predictions.cache_unusable", extra={"file": str(file), "error": str(error)})
            return None
        return predictions

    def save(
        self, name: str, predictions: Predictions, trained_imgsz: int, classes: Collection[int] | None = None
    ) -> None:
        """Keep ``predictions``; the file is whole at any moment. ``trained_imgsz``: image size of the weights'
        training, in pixels. ``classes``: indices of the classes that were trained; None for all.
        """
        if self._keep < 1:
            return
        target = self._file(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with files.written_aside(target, flush=True) as aside, aside.open("wb") as file:
                np.savez(file, allow_pickle=False, **_written(name, predictions, trained_imgsz, classes))
            self._forget()
        except OSError as error:
            log.warning("predictions.cache_unusable", extra={"file": str(target), "error": str(error)})

    def trained_imgsz(self, weights: str) -> int | None:
        """Return the training's image size, in pixels, of the weights with this sha256, if it was ever saved."""
        found = self._fact(weights, "trained_imgsz")
        return None if found is None else int(found)

    def trained_classes(self, weights: str) -> frozenset[int] | None:
        """Return the classes that the weights with this sha256 were trained on; None for all, or if not known."""
        return trained(self._fact(weights, "trained_classes"))

    def _fact(self, weights: str, name: str) -> Any:
        for file in sorted(self._folder.glob(f"{_of_weights(weights)}-*.npz")):
            try:
                with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                    return _facts(arrays)[name]
            except UNREADABLE:
                continue
        return None

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.npz"

    def _forget(self) -> None:
        """Remove the files used longest ago, and those that dead processes left half-written."""
        kept = sorted(self._folder.glob("*.npz"), key=_age)
        for file in kept[self._keep :]:
            file.unlink(missing_ok=True)
        files.remove_leftovers(self._folder)


def _age(file: Path) -> float:
    """Return the seconds since the file was used; infinite where another process has just removed it."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _written(
    name: str, predictions: Predictions, trained_imgsz: int, classes: Collection[int] | None
) -> dict[str, Any]:
    arrays = dict(vars(predictions))
    of_training = {"trained_imgsz": trained_imgsz, "trained_classes": None if classes is None else sorted(classes)}
    facts = {"key": name} | {fact: arrays.pop(fact) for fact in _FACTS} | of_training
    return {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)} | arrays


def _facts(arrays: Any) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(arrays["facts"].tobytes())
    return facts


def _read(arrays: Any, name: str) -> Predictions:
    """Read the predictions. Raises one of ``UNREADABLE`` where the file is not one of ours."""
    facts = _facts(arrays)
    if facts["key"] != name:
        raise ValueError(f"holds {facts['key']}")
    found = {array: arrays[array] for array in _layout()}
    rows, labels = len(found["scores"]), len(found["truth_classes"])
    layout = _layout(len(facts["images"]), rows, labels)
    if any(found[array].dtype != kind for array, (kind, _) in layout.items()):
        raise ValueError("holds arrays of other types")
    ends = found["offsets"][-1:], found["truth_offsets"][-1:]
    if any(found[array].shape != shape for array, (_, shape) in layout.items()) or ends != (rows, labels):
        raise ValueError("holds arrays that do not fit each other")
    images, names = tuple(facts["images"]), tuple(facts["names"])
    return Predictions(**found, images=images, names=names, capture=facts["capture"], suppressed=facts["suppressed"])


def _layout(images: int = 0, rows: int = 0, labels: int = 0) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Return type and shape of each array, for so many images, candidates and labels."""
    return {
        "boxes": (np.float32, (rows, 4)),
        "scores": (np.float32, (rows,)),
        "classes": (np.int32, (rows,)),
        "offsets": (np.int64, (images + 1,)),
        "frames": (np.float32, (images, 6)),
        "truth_boxes": (np.float32, (labels, 4)),
        "truth_classes": (np.int32, (labels,)),
        "truth_offsets": (np.int64, (images + 1,)),
        "truth_areas": (np.float32, (labels,)),
    }
