"""A model's predictions over a split: from the cache where it has been captured before, else by one inference pass."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpo import files
from hpo.dataset import source
from hpo.dataset.description import describe, write_resolved
from hpo.errors import UsageError
from hpo.settings import Settings
from hpo.training import environment
from hpo.training.cache import PredictionCache, key

if TYPE_CHECKING:
    from hpo.dataset.summary import DatasetSummary
    from hpo.detection.predictions import Predictions

Progress = Callable[[int, int], None]
"""Called with the number of images that are done, and the number of all."""


@dataclass(frozen=True)
class PredictionsRequest:
    """The predictions to get."""

    weights: Path
    """Path of a .pt file of Ultralytics."""
    data: Path
    """Path of a data.yaml as its author wrote it."""
    split: str = "val"
    """Split: ``train``, ``val`` or ``test``."""
    imgsz: int | None = None
    """Image size in pixels; None for the size of the training."""
    capture: str = "deploy"
    """Way of capture: ``deploy`` (as ``model.predict`` sees it) or ``val`` (as ``model.val`` does)."""
    device: str = "auto"
    """``auto`` (first GPU, else CPU), ``cpu``, or a CUDA index such as ``0``."""
    trust: bool = False
    """Whether the weights may be unpickled without restriction, which can run any code of their author."""


def captured(
    wanted: PredictionsRequest, settings: Settings, *, keep: int = 5, progress: Progress | None = None
) -> tuple[Predictions, int]:
    """Return the predictions, and their image size in pixels; the predictions are then cached.

    The cache keeps the ``keep`` used last. torch and Ultralytics are imported only where something must be inferred;
    ``progress`` gets the images done and the images in all. Raises SpecError for wrong data, and UsageError for wrong
    weights, data with other classes than the weights know, or a split that the data lacks.
    """
    if not wanted.weights.is_file():
        raise UsageError(f"{wanted.weights}: no such file; name the weights (.pt) of a detector")
    dataset = describe(wanted.data, settings.cache)
    if wanted.split not in dataset.splits:
        raise UsageError(f"{wanted.data}: has no split {wanted.split!r}; it has {', '.join(dataset.splits)}")
    cache = PredictionCache(settings.cache / "predictions", keep)
    sha256 = files.digest(wanted.weights)
    imgsz = wanted.imgsz or cache.trained_imgsz(sha256)
    if imgsz is not None:
        found = cache.load(key(sha256, dataset.fingerprint, wanted.split, imgsz, wanted.capture))
        if found is not None:
            return found, imgsz
    os.environ.update(environment.prepare(settings.home))  # before Ultralytics is imported
    return _inferred(wanted, dataset, settings, progress, cache)


def _inferred(
    wanted: PredictionsRequest,
    dataset: DatasetSummary,
    settings: Settings,
    progress: Progress | None,
    cache: PredictionCache,
) -> tuple[Predictions, int]:
    from hpo.training.ultralytics_internals import patches
    from hpo.training.ultralytics_internals.capture import InferencePass, capture
    from hpo.training.ultralytics_internals.weights import check_channels, check_classes, load

    patches.apply(patches.threads_per_trial(), settings.cache)
    weights = load(wanted.weights, trust=wanted.trust)
    check_classes(weights, dataset.names, wanted.data)
    check_channels(weights, int(source.read(wanted.data).other.get("channels") or 3), wanted.data)
    imgsz = wanted.imgsz or weights.imgsz
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.yaml"
        write_resolved(wanted.data, data)
        over = InferencePass(data, wanted.split, imgsz, wanted.device, weights.single_cls, weights.suppressed)
        if weights.single_cls:  # afterwards their labels can't be told from the others
            over = replace(over, classes=weights.classes)
        predictions = capture(weights.model, wanted.capture, replace(over, progress=progress) if progress else over)
    name = key(weights.sha256, dataset.fingerprint, wanted.split, imgsz, wanted.capture)
    cache.save(name, predictions, weights.imgsz, weights.classes)
    return predictions, imgsz
