"""What one suppression setting detects: the raw material of curves, choices and every honest estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.trial.operating_point import OperatingPoint


@dataclass(frozen=True)
class Picked:
    """E detections of some images at one suppression setting, by falling score."""

    scores: NDArray[np.float32]
    """(E,) in [0, 1]."""
    classes: NDArray[np.int32]
    """(E,)"""
    images: NDArray[np.int32]
    """(E,) index of the image."""
    hits: NDArray[np.uint16]
    """(E,) bit t is set where it is a true positive at IoU ``matching.IOUS[t]``."""
    ignored: NDArray[np.uint16]
    """(E,) bit t is set where it is neither a true nor a false positive there (see ``matching.match``)."""
    above: NDArray[np.bool_]
    """(E,) which lie above the confidence threshold."""

    def __len__(self) -> int:
        return len(self.scores)

    def cut(self, point: OperatingPoint) -> Picked:
        """Mark what lies above a confidence threshold.

        Args:
            point: Has the threshold, or one a class, compared in fp32.

        Returns:
            The detections with ``above``: a score that equals the threshold does not lie above it.
        """
        if point.per_class_conf is None:
            return replace(self, above=self.scores > np.float32(point.conf))
        return replace(self, above=self.scores > np.asarray(point.per_class_conf, np.float32)[self.classes])

    def on(self, images: NDArray[np.bool_]) -> Picked:
        """Take what lies on some images.

        Args:
            images: (I,) mask of the images.

        Returns:
            The detections on them, in the same order.
        """
        return self.take(images[self.images])

    def take(self, which: NDArray[Any]) -> Picked:
        """Take some detections.

        Args:
            which: A mask, or indices in falling order of score.

        Returns:
            These detections.
        """
        return Picked(*(column[which] for column in vars(self).values()))


def joined(parts: list[Picked]) -> Picked:
    """Put detections of different images together.

    Args:
        parts: At least one.

    Returns:
        All of them by falling score; ties in the order of the parts.
    """
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    whole = Picked(*(np.concatenate(column) for column in columns))
    return whole.take(np.argsort(-whole.scores, kind="stable"))
