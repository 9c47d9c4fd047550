"""Detections at one operating point: what a deployed detector puts out, and which of them are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.detection import events as stream
from hpo.detection.matching import to_truth
from hpo.detection.predictions import Predictions
from hpo.trial.operating_point import OperatingPoint


@dataclass(frozen=True)
class Detections:
    """The detections of one image, in falling order of score."""

    boxes: NDArray[np.float32]
    """(n, 4) x1, y1, x2, y2 in the truth's pixels; under ``deploy`` clipped to the image."""
    scores: NDArray[np.float32]
    """(n,) after the suppression (Soft-NMS and fusion change them)."""
    classes: NDArray[np.int32]
    true_positive: NDArray[np.bool_]
    """(n, 10) at each of ``matching.IOUS``."""


def detections(predictions: Predictions, point: OperatingPoint) -> list[Detections]:
    """Apply one operating point to every image, as a deployed detector does.

    A detection stays where its score is above the threshold (``conf``, or that of its class), and where it is among the
    ``max_det`` best of its image before that cut.

    Args:
        predictions: Candidates and labels of I images.
        point: The suppression, the thresholds and the limit an image.

    Returns:
        I values, in the order of the images. Rows fall in score; ties keep the order of the suppression's output.
    """
    out: list[Detections] = []
    for first in range(0, len(predictions), stream.BLOCK):
        last = min(first + stream.BLOCK, len(predictions))
        out += _of_block(predictions, point, first, last)
    return out


def _of_block(predictions: Predictions, point: OperatingPoint, first: int, last: int) -> list[Detections]:
    block, rows, hits = stream.matched_block(predictions, point, first, last)
    true = np.zeros((len(rows), 10), np.bool_)
    true[rows >= 0] = hits[rows[rows >= 0]] != 0
    thresholds = np.asarray(point.per_class_conf or [point.conf] * len(predictions.names), np.float32)
    kept = (block.masks != 0) & (block.scores > thresholds[block.classes])
    found = []
    for image in range(last - first):
        begin, end = block.offsets[image], block.offsets[image + 1]
        own = np.flatnonzero(kept[begin:end]) + begin
        boxes = np.empty((len(own), 4), np.float32)
        for k, row in enumerate(own):
            to_truth(block.boxes[row], predictions.frames[first + image], boxes[k])
        found.append(Detections(boxes, block.scores[own], block.classes[own], true[own]))
    return found
