"""A check of a folder of ``hpo promote``, loaded again and used as its user will: its detections, and their metrics.

It reads only the folder and the images that its data.yaml names. Detections come from Ultralytics' predictor, image by
image, not from the captured predictions that the reported numbers were computed from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hpo.detection.predictions import ImagePredictions, Predictions, collect, common_folder
from hpo.detection.rating import measure
from hpo.training.measuring.agreement import agreement
from hpo.training.ultralytics_internals import patches
from hpo.training.ultralytics_internals.candidates import IDENTITY, labelled
from hpo.training.ultralytics_internals.capture import InferencePass, dataset_of
from hpo.training.ultralytics_internals.predictor import Detector
from hpo.training.ultralytics_internals.weights import Weights, load
from hpo.trial import handed_over
from hpo.trial.kinds import Kind
from hpo.trial.objective import parse
from hpo.trial.operating_point import FLOOR, OperatingPoint

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Folder:
    """The content of the folder."""

    path: Path
    weights: Weights
    point: OperatingPoint
    imgsz: int
    reported: dict[str, Any]

    @staticmethod
    def of(path: Path) -> _Folder:
        weights = load(path / handed_over.WEIGHTS)
        point, imgsz = handed_over.point_of(json.loads((path / handed_over.POINT).read_text()))
        reported = json.loads((path / handed_over.METRICS).read_text())
        return _Folder(path, weights, point, imgsz or weights.imgsz, reported)

    @property
    def open_point(self) -> OperatingPoint:
        """Return the same suppression with every confidence: AP needs the detections below the threshold, too."""
        return replace(self.point, conf=FLOOR, per_class_conf=None)

    @property
    def exports(self) -> dict[str, Path]:
        """Return the exported files by format."""
        files = {form: self.path / name for form, name in handed_over.EXPORTS.items()}
        return {form: file for form, file in files.items() if file.exists()}

    def detector(self, device: str, export: Path | None = None) -> Detector:
        """Return the weights, or their ``export``, with the open point."""
        return Detector(self.weights, self.open_point, device=device, imgsz=self.imgsz, export=export)


def verify(path: Path, device: str, progress: Progress, cache: Path | None = None) -> dict[str, Any]:
    """Return {splits: {split: metrics}, exports: {format: {split: agreement}}}, for every split of metrics.json.

    ``cache``: folder for what is kept of the data's files; None keeps nothing.
    """
    patches.apply(patches.threads_per_trial(), cache)
    folder = _Folder.of(path)
    own = folder.detector(device)
    splits: dict[str, Any] = {}
    exports: dict[str, dict[str, Any]] = {form: {} for form in folder.exports}
    for split in folder.reported["splits"]:
        found = _detected(folder, own, split, progress)
        splits[split] = metrics(found, folder.point, folder.reported["objective"])
        for form, file in folder.exports.items():
            theirs = _detected(folder, folder.detector(device, file), split, progress)
            exports[form][split] = agreement(found, theirs, folder.point.conf)
    return {"splits": splits, "exports": exports}


def metrics(found: Predictions, point: OperatingPoint, objective: str) -> dict[str, float]:
    """Return the metrics of detections that are already suppressed."""
    done = OperatingPoint(None, point.conf, point.max_det, Kind.NONE, per_class_conf=point.per_class_conf)
    rated, value = measure(found, done, parse(objective))
    return {"objective": value, **rated.scores}


def _detected(folder: _Folder, detector: Detector, split: str, progress: Progress) -> Predictions:
    data, weights = folder.path / handed_over.DATA, folder.weights
    over = InferencePass(data, split, folder.imgsz, single_cls=weights.single_cls, progress=progress)
    images = sorted(_of_images(detector, over, len(weights.names)), key=lambda image: image.name)
    return collect(images, weights.names, "deploy", suppressed=True).only(weights.classes)


def _of_images(detector: Detector, over: InferencePass, classes: int) -> Iterator[ImagePredictions]:
    dataset = dataset_of(over, classes)
    folder = common_folder(dataset.im_files)
    for done, label in enumerate(dataset.labels, start=1):
        (result,) = detector.predict(label["im_file"])
        boxes = result.boxes.cpu().numpy()
        found = boxes.xyxy, boxes.conf, boxes.cls.astype(np.int32)
        yield labelled(label, folder, result.orig_shape, found, IDENTITY)
        over.progress(done, len(dataset.labels))
