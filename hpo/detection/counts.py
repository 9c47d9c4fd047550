"""What a chosen setting does on each image: the raw material of every honest estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.detection.curves import _GRID, _WEIGHTS, _push
from hpo.detection.events import Events
from hpo.detection.kernel import compiled
from hpo.detection.predictions import Predictions
from hpo.trial.objective import Average, Objective
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Metric

Weights = NDArray[np.int64]
"""(B, I) how often each image counts: one line a resample."""


def cut(events: Events, point: OperatingPoint) -> NDArray[np.bool_]:
    """Mark what lies above the confidence threshold.

    Args:
        events: E detections.
        point: Has the threshold, or one a class, compared in fp32.

    Returns:
        (E,) True where the score is above the threshold; a score equal to it is not.
    """
    if point.per_class_conf is None:
        above: NDArray[np.bool_] = events.scores > np.float32(point.conf)
        return above
    return events.scores > np.asarray(point.per_class_conf, np.float32)[events.classes]


@dataclass(frozen=True)
class Picked:
    """E detections of some images at one suppression setting, by falling score."""

    scores: NDArray[np.float32]
    """(E,) in [0, 1]."""
    classes: NDArray[np.int32]
    """(E,)"""
    images: NDArray[np.int32]
    """(E,) index of the image."""
    hits: NDArray[np.bool_]
    """(E, 10) true positives, at each of ``matching.IOUS``."""
    ignored: NDArray[np.bool_]
    """(E, 10) what is neither a true nor a false positive (see ``matching.match``)."""
    above: NDArray[np.bool_]
    """(E,) which lie above the confidence threshold."""


def pick(events: Events, bit: int, point: OperatingPoint, images: NDArray[np.bool_]) -> Picked:
    """Take what a setting keeps on some images, at all confidences.

    Args:
        events: Detections of a group of settings.
        bit: Index of the setting in ``events.settings``.
        point: Has the confidence thresholds, for ``Picked.above``.
        images: (I,) mask of the images.

    Returns:
        The detections, in the order of ``events``: by falling score.
    """
    kept = np.flatnonzero(((events.masks >> np.uint64(bit)) & np.uint64(1) != 0) & images[events.images])
    rows = events.rows[kept]
    return Picked(
        scores=events.scores[kept],
        classes=events.classes[kept],
        images=events.images[kept],
        hits=_bits(events.hits, rows, bit),
        ignored=_bits(events.ignored, rows, bit),
        above=cut(events, point)[kept],
    )


def _bits(masks: NDArray[np.uint64], rows: NDArray[np.int32], bit: int) -> NDArray[np.bool_]:
    out = np.zeros((len(rows), 10), np.bool_)
    some = rows >= 0
    out[some] = (masks[rows[some]] >> np.uint64(bit)) & np.uint64(1) != 0
    return out


def joined(parts: list[Picked]) -> Picked:
    """Put detections of different images together.

    Args:
        parts: At least one.

    Returns:
        All of them by falling score; ties in the order of the parts.
    """
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    fields = ("scores", "classes", "images", "hits", "ignored", "above")
    return Picked(**{name: np.concatenate([getattr(part, name) for part in parts])[order] for name in fields})


@dataclass(frozen=True)
class Truths:
    """Labels of each image and class."""

    counts: NDArray[np.int64]
    """(I, C)"""

    @staticmethod
    def of(predictions: Predictions, areas: tuple[float, float] | None = None) -> Truths:
        """Count the labels of each image and class.

        Args:
            predictions: I images with their labels.
            areas: The range of sizes that counts, [low, high) in square pixels of the original image; None for all.

        Returns:
            The counts, (I, C).
        """
        image = np.repeat(np.arange(len(predictions)), np.diff(predictions.truth_offsets))
        classes = predictions.truth_classes
        if areas is not None:
            within = (predictions.truth_areas >= areas[0]) & (predictions.truth_areas < areas[1])
            image, classes = image[within], classes[within]
        counts = np.zeros((len(predictions), len(predictions.names)), np.int64)
        np.add.at(counts, (image, classes), 1)
        return Truths(counts)


def values(picked: Picked, truths: Truths, objective: Objective, weights: Weights) -> NDArray[np.float64]:
    """Compute the objective's metric on each resample; its conditions are not looked at.

    AP is that of Ultralytics' ``compute_ap`` (101 points) over all detections; rates are of those above the threshold,
    at IoU 0.5. Means over classes are taken over the classes that have labels in the resample.

    Args:
        picked: Detections of one setting, by falling score.
        truths: Labels of each image and class, (I, C).
        objective: The metric, and how it is averaged.
        weights: (B, I) how often each image counts.

    Returns:
        (B,) float64 in [0, 1]; 0 where a resample has no labels.
    """
    if objective.is_ap:
        wanted = objective.metric.row.ious
        bits = (1 << np.arange(10)).astype(np.uint16)
        hits, ignored = ((mask * bits).sum(1, dtype=np.uint16) for mask in (picked.hits, picked.ignored))
        arrays = (picked.classes, picked.images, hits, ignored)
        labels = weights @ truths.counts
        return np.array([_weighted_ap(arrays, weights[b], labels[b], wanted) for b in range(len(weights))])
    n_images, n_classes = truths.counts.shape
    cell = picked.images[picked.above].astype(np.int64) * n_classes + picked.classes[picked.above]
    size = n_images * n_classes
    found = np.bincount(cell, minlength=size).reshape(n_images, n_classes)
    hits = np.bincount(cell[picked.hits[picked.above, 0]], minlength=size).reshape(n_images, n_classes)
    return _rates(weights @ hits, weights @ found, weights @ truths.counts, objective)


def _rates(
    hits: NDArray[np.int64], found: NDArray[np.int64], labels: NDArray[np.int64], objective: Objective
) -> NDArray[np.float64]:
    """Rates from (B, C) counts: resamples by classes."""
    if objective.average is Average.MICRO:
        return _rate(hits.sum(1), found.sum(1), labels.sum(1), objective)
    present = labels > 0
    each = np.where(present, _rate(hits, found, labels, objective), 0.0)
    mean: NDArray[np.float64] = each.sum(1) / np.maximum(present.sum(1), 1)
    return mean


def _rate(
    hits: NDArray[np.int64], found: NDArray[np.int64], labels: NDArray[np.int64], objective: Objective
) -> NDArray[np.float64]:
    match objective.metric:
        case Metric.PRECISION:
            return hits / np.maximum(found, 1)
        case Metric.RECALL:
            return hits / np.maximum(labels, 1)
        case Metric.F1:
            beta2 = objective.beta**2
            whole = found + beta2 * labels
            return (1 + beta2) * hits / np.where(whole > 0, whole, 1.0)
        case Metric.MAP50_95 | Metric.MAP50 | Metric.MAP_SMALL | Metric.MAP_MEDIUM | Metric.MAP_LARGE:
            raise ValueError(f"{objective.metric} is of a whole curve, and of no counts")


_BELOW = np.concatenate(([0.0], np.cumsum(_WEIGHTS)))


@compiled
def _weighted_ap(
    arrays: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16]],
    weights: NDArray[np.int64],
    labels: NDArray[np.int64],
    wanted: int,
) -> float:
    """Mean AP at the first ``wanted`` IoU thresholds, where image i counts ``weights[i]`` times.

    Bit t of ``hits`` and ``ignored`` (the last two arrays) belongs to threshold t.
    """
    classes, images, hits, ignored = arrays
    n_classes = len(labels)
    found, spared = np.zeros(n_classes, np.int64), np.zeros((n_classes, wanted), np.int64)
    true, depths = np.zeros((n_classes, wanted), np.int64), np.zeros((n_classes, wanted), np.int64)
    # a step reaches over at least one grid point, or replaces the one before: 103 levels are enough for 101 points
    levels, reach = np.empty(n_classes * wanted * 103), np.empty(n_classes * wanted * 103)
    total = 0.0
    for e in range(len(classes)):
        c, weight = classes[e], weights[images[e]]
        if weight == 0 or labels[c] == 0:
            continue
        found[c] += weight
        if hits[e] == 0 and ignored[e] == 0:
            continue
        for t in range(wanted):
            if (ignored[e] >> t) & 1:
                spared[c, t] += weight
            elif (hits[e] >> t) & 1:
                true[c, t] += weight
                precision, recall = true[c, t] / (found[c] - spared[c, t]), true[c, t] / labels[c]
                end = _BELOW[_points_below(recall)]
                first, depth = (c * wanted + t) * 103, depths[c, t]
                top = first + depth - 1
                if depth == 0 or reach[top] != end or levels[top] < precision:
                    depths[c, t], grown = _push(levels, reach, first, depth, precision, end)
                    total += grown
    present = 0
    for c in range(n_classes):
        present += labels[c] > 0
    return total / (present * wanted) if present > 0 else 0.0


@compiled
def _points_below(recall: float) -> int:
    """How many of the 101 grid points lie below ``recall``."""
    k = int(recall * 100)
    while k < 101 and _GRID[k] < recall:
        k += 1
    while k > 0 and _GRID[k - 1] >= recall:
        k -= 1
    return k
