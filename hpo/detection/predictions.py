"""A split's raw predictions and ground truth, as arrays: what every sweep starts from."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
MAX_CANDIDATES = 30_000
"""An image, the best scores first: ``max_nms`` of Ultralytics."""
Areas = tuple[float, float]
"""A range of label sizes, [low, high) in square pixels of the original image."""
EVERY_SIZE: Areas = (0.0, np.inf)


@dataclass(frozen=True)
class Predictions:
    """Candidates (rows of the detector's raw output above a floor, before any suppression) and labels of I images.

    Candidates of image i are rows ``offsets[i]:offsets[i + 1]``, in falling order of score; ties keep the order of the
    detector's output, which is the order in which torchvision's NMS takes them.
    """

    boxes: Floats
    """(N, 4) x1, y1, x2, y2 in pixels of the network's input; suppression works on these."""
    scores: Floats
    """(N,) in [0, 1]."""
    classes: NDArray[np.int32]
    """(N,)"""
    offsets: NDArray[np.int64]
    """(I + 1,)"""
    frames: Floats
    """(I, 6) gain_x, gain_y, pad_x, pad_y, width, height: how a box goes to the pixels that the truth is in, as
    clip((x - pad) / gain, 0, size). Identity, with an infinite size, where the truth is in network pixels itself."""
    truth_boxes: Floats
    """(M, 4) x1, y1, x2, y2 in pixels: of the original image under ``deploy``, of the network's input under ``val``."""
    truth_classes: NDArray[np.int32]
    """(M,)"""
    truth_offsets: NDArray[np.int64]
    """(I + 1,)"""
    truth_areas: Floats
    """(M,) in square pixels of the original image: which of COCO's sizes a label is."""
    images: tuple[str, ...]
    """Names, for people."""
    names: tuple[str, ...]
    """Names of the classes, by index."""
    capture: str
    """``deploy`` or ``val``."""
    suppressed: bool = False
    """Whether the detector's head needs no suppression: only the confidence is an axis then."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def label_images(self) -> NDArray[np.int64]:
        """(M,) the image that each label lies on."""
        return np.repeat(np.arange(len(self)), np.diff(self.truth_offsets))

    @property
    def most_labels(self) -> int:
        """Number of labels in the image that has the most of them."""
        return int(np.diff(self.truth_offsets).max(initial=0))

    def label_counts(self, areas: Areas = EVERY_SIZE) -> NDArray[np.int64]:
        """Count the labels of each image and class.

        Args:
            areas: The range of sizes that counts, [low, high) in square pixels of the original image.

        Returns:
            (I, C) the counts.
        """
        counted = (self.truth_areas >= areas[0]) & (self.truth_areas < areas[1])
        counts = np.zeros((len(self), len(self.names)), np.int64)
        np.add.at(counts, (self.label_images[counted], self.truth_classes[counted]), 1)
        return counts

    def only(self, classes: Collection[int] | None) -> Predictions:
        """Take the candidates and the labels of some classes; all others are neither found nor overlooked.

        Args:
            classes: Indices of the classes; None for every class.

        Returns:
            The same images with the same names of classes.
        """
        if classes is None:
            return self
        found, true = (np.isin(of, list(classes)) for of in (self.classes, self.truth_classes))
        ends = np.arange(len(self) + 1)
        lying_on = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        return replace(
            self,
            boxes=self.boxes[found],
            scores=self.scores[found],
            classes=self.classes[found],
            offsets=np.searchsorted(lying_on[found], ends).astype(np.int64),
            truth_boxes=self.truth_boxes[true],
            truth_classes=self.truth_classes[true],
            truth_areas=self.truth_areas[true],
            truth_offsets=np.searchsorted(self.label_images[true], ends).astype(np.int64),
        )

    def without(self, images: Set[str]) -> Predictions:
        """Leave images out, with their candidates and labels.

        Args:
            images: Names of images.

        Returns:
            The other images, in their order.
        """
        stay = np.array([name not in images for name in self.images], bool)
        found, true = (np.repeat(stay, np.diff(of)) for of in (self.offsets, self.truth_offsets))
        return replace(
            self,
            boxes=self.boxes[found],
            scores=self.scores[found],
            classes=self.classes[found],
            offsets=_offsets(np.diff(self.offsets)[stay]),
            frames=self.frames[stay],
            truth_boxes=self.truth_boxes[true],
            truth_classes=self.truth_classes[true],
            truth_areas=self.truth_areas[true],
            truth_offsets=_offsets(np.diff(self.truth_offsets)[stay]),
            images=tuple(name for name in self.images if name not in images),
        )


@dataclass(frozen=True)
class ImagePredictions:
    """One image, as a capture hands it over: candidates in any order. Shapes and units are those of ``Predictions``."""

    name: str
    boxes: NDArray[Any]
    scores: NDArray[Any]
    classes: NDArray[Any]
    frame: tuple[float, float, float, float, float, float]
    truth_boxes: NDArray[Any]
    truth_classes: NDArray[Any]
    truth_areas: NDArray[Any]


def collect(
    images: Sequence[ImagePredictions], names: Sequence[str], capture: str, *, suppressed: bool = False
) -> Predictions:
    """Put the predictions of single images together, candidates sorted, at most ``MAX_CANDIDATES`` an image.

    Args:
        images: The images; shapes and units are those of ``Predictions``.
        names: Names of the classes, by index.
        capture: ``deploy`` or ``val``.
        suppressed: Whether the detector's head needs no suppression.

    Returns:
        One value of all images, in their order. Candidates of an image fall in score; ties keep their order.

    Raises:
        ValueError: A score or a box is not a number, a score lies outside [0, 1], or a class has no name. The message
            names the image.
    """
    sorted_ = [_sorted(image, len(names)) for image in images]
    return Predictions(
        boxes=_joined([image.boxes for image in sorted_], np.float32, 4),
        scores=_joined([image.scores for image in sorted_], np.float32),
        classes=_joined([image.classes for image in sorted_], np.int32),
        offsets=_offsets([len(image.scores) for image in sorted_]),
        frames=_joined([image.frame for image in images], np.float32, 6),
        truth_boxes=_joined([image.truth_boxes for image in images], np.float32, 4),
        truth_classes=_joined([image.truth_classes for image in images], np.int32),
        truth_offsets=_offsets([len(image.truth_classes) for image in images]),
        truth_areas=_joined([image.truth_areas for image in images], np.float32),
        images=tuple(image.name for image in images),
        names=tuple(names),
        capture=capture,
        suppressed=suppressed,
    )


def _sorted(image: ImagePredictions, classes: int) -> ImagePredictions:
    scores = np.asarray(image.scores, np.float32)
    boxes = np.asarray(image.boxes, np.float32).reshape(-1, 4)
    if not np.all((scores >= 0) & (scores <= 1)) or not np.isfinite(boxes).all():
        raise ValueError(
            f"{image.name}: the detector predicts scores that are no numbers in [0, 1], or boxes that are no numbers: "
            "its weights are broken (a training that diverged)"
        )
    for kind, found in (("candidate", image.classes), ("label", image.truth_classes)):
        if len(found) and not 0 <= np.min(found) <= np.max(found) < classes:
            raise ValueError(f"{image.name}: a {kind} of class {np.max(found)}; there are {classes} classes")
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    return replace(image, boxes=boxes[order], scores=scores[order], classes=np.asarray(image.classes)[order])


def common_folder(files: Sequence[str]) -> str:
    """Return the folder below which all images of a split lie.

    Args:
        files: Absolute paths of images, at least one.

    Returns:
        The deepest such folder.
    """
    return os.path.commonpath([os.path.dirname(file) for file in files])  # noqa: PTH120  (as strings: 10^6 are listed)


def name_of(file: str, folder: str) -> str:
    """Return an image's name in ``Predictions``, the same wherever the dataset lies.

    Args:
        file: Absolute path of the image.
        folder: The ``common_folder`` of its split.

    Returns:
        Its path below the folder, with slashes.
    """
    return Path(file).relative_to(folder).as_posix()


def _joined(parts: Sequence[Any], dtype: type, *width: int) -> NDArray[Any]:
    nothing: NDArray[Any] = np.empty((0, *width), dtype)
    return np.concatenate([nothing, *(np.asarray(part, dtype).reshape(-1, *width) for part in parts)])


def _offsets(counts: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum([0, *counts], dtype=np.int64)
