"""A detector's raw output as candidates: the boxes before any suppression, in the form that Ultralytics' NMS takes.

The capture of a finished model (``capture``) uses them, and so does a training's own validation, which reads all images
anyway::

    class TrialValidator(KeepsCandidates):  # in place of DetectionValidator
        ...

    validator.candidates.predictions()  # after a validation: all images, capture "val"

Each validation replaces the candidates of the one before. Nothing here changes what Ultralytics computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override
from ultralytics.models.rtdetr.val import RTDETRValidator
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.ops import xywh2xyxy, xywhn2xyxy

from hpo.detection.predictions import ImagePredictions, Predictions, collect, common_folder, name_of
from hpo.trial.operating_point import FLOOR

Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]
"""Boxes (n, 4) x1, y1, x2, y2 in pixels of the network's input, scores (n,), classes (n,); in the output's order."""
Frame = tuple[float, float, float, float, float, float]
IDENTITY = (1.0, 1.0, 0.0, 0.0, float("inf"), float("inf"))
"""The frame of an image with boxes and labels in the same pixels."""


def candidates_of(output: Any, *, multi_label: bool, end2end: bool) -> list[Candidates]:
    """Return every box with a score above ``FLOOR``, image by image of a batch.

    ``output``: what the model returns, (B, 4 + classes, anchors) with x, y, width, height, or for a head that needs no
    suppression (``end2end``) (B, n, 6) with x1, y1, x2, y2, score, class. ``multi_label``: every class of a box with a
    score above the floor is a candidate (as in ``model.val``), else only the best one (as in ``model.predict``).

    Operations and order are those of ultralytics 8.4.190, utils/nms.py, so its NMS gives the same on these candidates
    as on ``output``. A score that is not a number stays, so that ``collect`` can name its image.
    """
    prediction = output[0] if isinstance(output, (list, tuple)) else output
    if end2end:
        return [_arrays(rows[:, :4], rows[:, 4], rows[:, 5]) for rows in map(_above_floor, prediction)]
    above = ~(prediction[:, 4:].amax(1) <= FLOOR)
    rows_of = prediction.transpose(-1, -2)
    return [_decoded(rows[kept], multi_label=multi_label) for rows, kept in zip(rows_of, above, strict=True)]


def candidates_of_queries(output: Any, sizes: Sequence[tuple[float, float]]) -> list[Candidates]:
    """Return every box of RT-DETR with a score above ``FLOOR``, image by image of a batch.

    ``output``: what the model returns, (B, n, 6) with x, y, width, height in fractions of the image, score, class.
    ``sizes``: height and width of each image, in the pixels that the boxes are wanted in.

    Operations and order are those of ultralytics 8.4.190, models/rtdetr/val.py and predict.py.
    """
    prediction = output[0] if isinstance(output, (list, tuple)) else output
    found = []
    for rows, (height, width) in zip(map(_above_floor, prediction), sizes, strict=True):
        boxes = xywh2xyxy(rows[:, :4]) * rows.new_tensor((width, height, width, height))
        found.append(_arrays(boxes, rows[:, 4], rows[:, 5]))
    return found


def _above_floor(rows: torch.Tensor) -> torch.Tensor:
    return rows[~(rows[:, 4] <= FLOOR)]


def _decoded(rows: torch.Tensor, *, multi_label: bool) -> Candidates:
    """Decode ``rows``, (n, 4 + classes), each with a score above the floor."""
    boxes, of_class = xywh2xyxy(rows[:, :4]), rows[:, 4:]
    if multi_label and of_class.shape[1] > 1:
        box, cls = torch.where(~(of_class <= FLOOR))
        return _arrays(boxes[box], of_class[box, cls], cls)
    scores, cls = of_class.max(1)
    return _arrays(boxes, scores, cls)


def _arrays(boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor) -> Candidates:
    return boxes.float().cpu().numpy(), scores.float().cpu().numpy(), classes.int().cpu().numpy()


class CandidateKeeper:
    """Collects one validation's candidates and labels, batch by batch; made again for each validation."""

    def __init__(self, validator: KeepsCandidates) -> None:
        """Start with ``validator``, set up and with a model (``init_metrics`` is the earliest moment)."""
        self._validator = validator
        self._batch: list[Candidates] = []
        self._images: list[ImagePredictions] = []
        dataset = validator.dataloader.dataset
        self._labels = {label["im_file"]: label["bboxes"] for label in dataset.labels}
        self._folder = common_folder(dataset.im_files)

    def see(self, output: Any) -> None:
        """Take the model's ``output`` for one batch, before suppression; the labels follow with ``add``."""
        self._batch = self._validator.candidates_in(output)

    def add(self, batch: dict[str, Any]) -> None:
        """Take the last ``batch``, as the validator preprocessed it."""
        for index, found in enumerate(self._batch):
            truth = self._validator._prepare_batch(index, batch)  # noqa: SLF001  (the labels that its metrics match)
            file = truth["im_file"]
            boxes, classes = truth["bboxes"].cpu().numpy(), truth["cls"].cpu().numpy()
            sizes = areas(self._labels[file], truth["ori_shape"])
            name = name_of(file, self._folder)
            self._images.append(ImagePredictions(name, *found, IDENTITY, boxes, classes, sizes))
        self._batch = []

    def __len__(self) -> int:
        return len(self._images)

    def predictions(self) -> Predictions:
        """Return all images so far, ordered by name; raises ValueError as ``collect`` does (broken weights)."""
        names = self._validator.names
        images = sorted(self._images, key=lambda image: image.name)
        of_classes = [str(names[index]) for index in range(len(names))]
        return collect(images, of_classes, "val", suppressed=self._validator.suppressed)


class KeepsCandidates(DetectionValidator):
    """Ultralytics' validator that keeps the candidates of its last validation beside its metrics."""

    candidates: CandidateKeeper
    multi_label = True

    @override
    def init_metrics(self, model: Any) -> None:
        super().init_metrics(model)
        self.candidates = CandidateKeeper(self)

    @property
    def suppressed(self) -> bool:
        """Whether the model's output needs no suppression."""
        return bool(self.end2end)

    def candidates_in(self, output: Any) -> list[Candidates]:
        """Return the candidates in the model's ``output`` for one batch."""
        return candidates_of(output, multi_label=self.multi_label, end2end=self.end2end)

    @override
    def postprocess(self, preds: Any) -> Any:
        self.candidates.see(preds)
        return super().postprocess(preds)

    @override
    def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
        self.candidates.add(batch)
        super().update_metrics(preds, batch)


class KeepsQueries(KeepsCandidates, RTDETRValidator):
    """The same over RT-DETR's own validator."""

    suppressed = True

    @override
    def candidates_in(self, output: Any) -> list[Candidates]:
        prediction = output[0] if isinstance(output, (list, tuple)) else output
        height, width = check_imgsz(self.args.imgsz, stride=1, min_dim=2)
        return candidates_of_queries(prediction, [(height, width)] * len(prediction))


def labelled(
    label: dict[str, Any], folder: str, shape: tuple[int, int], found: Candidates, frame: Frame
) -> ImagePredictions:
    """Return an image's candidates ``found`` beside its labels, in pixels of the image.

    ``label``: what Ultralytics' dataset of the split, below ``folder``, has of it; ``shape``: its height, width.
    """
    name, boxes, classes = name_of(label["im_file"], folder), label["bboxes"], label["cls"].reshape(-1)
    in_pixels = xywhn2xyxy(boxes, w=shape[1], h=shape[0])
    return ImagePredictions(name, *found, frame, in_pixels, classes, areas(boxes, shape))


def areas(boxes: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return areas in square pixels of the original image.

    ``boxes``: (n, 4) x, y, width, height in fractions; ``shape``: its height, width.
    """
    height, width = shape
    sizes = np.asarray(boxes, np.float64).reshape(-1, 4)[:, 2:] * (width, height)
    found: NDArray[np.float32] = sizes.prod(1).astype(np.float32)
    return found
