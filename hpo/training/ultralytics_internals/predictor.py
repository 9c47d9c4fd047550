"""A detector with its operating point: Ultralytics' predictor with the suppression that a sweep has chosen."""

from __future__ import annotations

import shlex
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override
from ultralytics.cfg import get_cfg, get_save_dir
from ultralytics.engine.results import Results
from ultralytics.models.rtdetr import RTDETRPredictor
from ultralytics.models.yolo.detect import DetectionPredictor
from ultralytics.utils import nms, ops

from hpo.detection.predictions import ImagePredictions, Predictions, collect
from hpo.errors import UsageError
from hpo.training.ultralytics_internals.candidates import (
    IDENTITY,
    Candidates,
    Frame,
    candidates_of,
    candidates_of_queries,
)
from hpo.training.ultralytics_internals.capture import broken_weights_named, frame
from hpo.training.ultralytics_internals.capture import device as resolved_device
from hpo.training.ultralytics_internals.patches import NO_TIME_LIMIT_S
from hpo.training.ultralytics_internals.reading import repaired_where_predicted
from hpo.training.ultralytics_internals.weights import Weights
from hpo.trial.families import Family
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import OperatingPoint

OF_POINT = ("conf", "iou", "max_det", "agnostic_nms")
OF_MODEL = ("model", "task", "mode", "device", "dnn", "data", "nms", "compile", "channels_last", "quantize", "tracker")
NOT_BOXES = ("embed", "stream")
_FIXED = {"task": "detect", "mode": "predict", "rect": True, "batch": 1, "save": False, "verbose": False}
_NOTHING = np.empty(0, np.float32)


class PointPredictor(DetectionPredictor):
    """Suppresses by ``point``: what ``yolo predict`` can do by Ultralytics' NMS, the rest by ``hpo.detection``."""

    def __init__(self, point: OperatingPoint, overrides: dict[str, Any]) -> None:
        super().__init__(overrides=overrides)
        self._point = point

    @override
    def postprocess(self, preds: Any, img: torch.Tensor, orig_imgs: Any, **kwargs: Any) -> list[Results]:
        originals = orig_imgs
        if not isinstance(orig_imgs, list):
            originals = list(ops.convert_torch2numpy_batch(orig_imgs)[..., ::-1])
        if self._point.is_plain:
            return self._plain(preds, img, originals)
        return self._suppressed_by_point(preds, img, originals)

    def _plain(self, preds: Any, img: torch.Tensor, originals: list[NDArray[np.uint8]]) -> list[Results]:
        """Return what is left by Ultralytics' NMS."""
        point = self._point
        further = {"max_det": point.max_det, "end2end": bool(self.model.end2end), "max_time_img": NO_TIME_LIMIT_S}
        iou, classes = point.iou or 0.0, self.args.classes
        left = nms.non_max_suppression(preds, point.conf, iou, classes, point.agnostic_nms, **further)
        results: list[Results] = self.construct_results(left, img, originals)
        return results

    def _suppressed_by_point(self, preds: Any, img: torch.Tensor, originals: list[NDArray[np.uint8]]) -> list[Results]:
        from hpo.detection.apply import detections

        found = detections(self._predictions(preds, img, originals), self._point)
        return [
            Results(original, path=path, names=self.model.names, boxes=_rows(rows).to(self.device))
            for rows, original, path in zip(found, originals, self.batch[0], strict=True)
        ]

    def _predictions(self, preds: Any, img: torch.Tensor, originals: list[NDArray[np.uint8]]) -> Predictions:
        """Return the batch's candidates, without labels."""
        shapes = [original.shape[:2] for original in originals]
        found, names = self._candidates(preds, img, shapes), self.model.names
        images = [
            ImagePredictions(str(path), *self._of_asked_classes(candidates), to_image, *[_NOTHING] * 3)
            for (candidates, to_image), path in zip(found, self.batch[0], strict=True)
        ]
        of_classes = [names[index] for index in range(len(names))]
        with broken_weights_named():
            return collect(images, of_classes, "deploy", suppressed=self._point.kind is Kind.NONE)

    def _candidates(self, preds: Any, img: torch.Tensor, shapes: list[Any]) -> list[tuple[Candidates, Frame]]:
        """Return the candidates of each image, of height and width ``shapes``, and where its pixels lie in ``img``."""
        found = candidates_of(preds, multi_label=False, end2end=bool(self.model.end2end))
        return list(zip(found, [frame(img.shape[2:], shape) for shape in shapes], strict=True))

    def _of_asked_classes(self, found: Candidates) -> Candidates:
        """Apply Ultralytics' ``classes``: the other classes are dropped before they could suppress anything."""
        if self.args.classes is None:
            return found
        boxes, scores, classes = found
        asked = np.isin(classes, self.args.classes)
        return boxes[asked], scores[asked], classes[asked]


class QueriesPredictor(PointPredictor, RTDETRPredictor):
    """The same for RT-DETR, whose images are stretched to a square."""

    @override
    def _plain(self, preds: Any, img: torch.Tensor, originals: list[NDArray[np.uint8]]) -> list[Results]:
        results: list[Results] = RTDETRPredictor.postprocess(self, preds, img, originals)
        return results

    @override
    def _candidates(self, preds: Any, img: torch.Tensor, shapes: list[Any]) -> list[tuple[Candidates, Frame]]:
        return [(found, IDENTITY) for found in candidates_of_queries(preds, shapes)]


def _rows(found: Any) -> torch.Tensor:
    """Return rows (n, 6) with x1, y1, x2, y2, score, class, as ``Results`` has them."""
    columns = (found.boxes.reshape(-1, 4), found.scores.reshape(-1, 1), found.classes.reshape(-1, 1))
    return torch.from_numpy(np.concatenate([column.astype(np.float32) for column in columns], 1))


class Detector:
    """Weights and the operating point that they are used with."""

    def __init__(
        self,
        weights: Weights,
        point: OperatingPoint,
        *,
        device: str = "auto",
        imgsz: int | None = None,
        export: Path | None = None,
    ) -> None:
        """Load ``weights`` for ``point``. ``imgsz``: pixels, the size of the training by default. ``export``: the file
        that ``hpo.training.exporting`` made of the weights, to run in its own runtime. Raises UsageError for a point of
        another detector.
        """
        _check(weights, point)
        self.point = point
        self.names = weights.names
        self._base = _FIXED | {
            "imgsz": imgsz or weights.imgsz,
            "device": resolved_device(device),
            "nms": False if weights.suppressed else None,
            "conf": point.conf,
            "max_det": point.max_det,
        }
        kind = QueriesPredictor if weights.family is Family.QUERIES else PointPredictor
        self._predictor = kind(point, copy(self._base))
        self._predictor.setup_model(model=str(export) if export else weights.model, verbose=False)

    def predict(self, source: Any, **kwargs: Any) -> list[Results]:
        """Return Ultralytics' results, one for each image; ``source`` and ``kwargs`` are those of ``YOLO.predict``.

        Raises TypeError for arguments that the operating point or the loaded model decides.
        """
        refused = sorted({*OF_POINT, *OF_MODEL, *NOT_BOXES} & kwargs.keys())
        if refused:
            raise TypeError(
                f"predict() does not take {', '.join(refused)}: the operating point and the device are chosen by load()"
            )
        self._predictor.args = get_cfg(overrides={**self._base, **kwargs})
        self._predictor.save_dir = Path(get_save_dir(self._predictor.args))
        with repaired_where_predicted():
            results: list[Results] = self._predictor(source=source, stream=False)
        return results


def _check(weights: Weights, point: OperatingPoint) -> None:
    if point.kind is Kind.NONE and not weights.suppressed:
        raise UsageError(
            f"{weights.path}: needs suppression, and the settings have none; make them with: "
            f"hpo sweep {shlex.quote(str(weights.path))}"
        )
    thresholds = point.per_class_conf
    if thresholds is not None and len(thresholds) != len(weights.names):
        raise UsageError(
            f"{weights.path}: knows {len(weights.names)} classes, and the settings have confidences for "
            f"{len(thresholds)}; use the settings that were made for these weights"
        )
