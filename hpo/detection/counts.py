"""The objective's metric on resampled images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.average_precision import average_precisions
from hpo.detection.picked import Picked
from hpo.detection.rates import rate
from hpo.trial.objective import Average, Objective

Weights = NDArray[np.int64]
"""(B, I) how often each image counts: one line a resample."""


def values(picked: Picked, truths: NDArray[np.int64], objective: Objective, weights: Weights) -> NDArray[np.float64]:
    """Compute the objective's metric on each resample; its conditions are not looked at.

    AP is that of Ultralytics' ``compute_ap`` (101 points) over all detections; rates are of those above the threshold,
    at IoU 0.5. Means over classes are taken over the classes that have labels in the resample.

    Args:
        picked: Detections of one setting, by falling score.
        truths: (I, C) labels of each image and class.
        objective: The metric, and how it is averaged.
        weights: (B, I) how often each image counts.

    Returns:
        (B,) float64 in [0, 1]; 0 where a resample has no labels.
    """
    labels = weights @ truths
    if objective.is_ap:
        lines = zip(weights, labels, strict=True)
        return np.array([average_precisions(picked, *line, objective.metric.row.ious)[1] for line in lines])
    n_classes = truths.shape[1]
    above = picked.take(picked.above)
    cell = above.images.astype(np.int64) * n_classes + above.classes
    found = np.bincount(cell, minlength=truths.size).reshape(truths.shape)
    hits = np.bincount(cell[above.hits & 1 != 0], minlength=truths.size).reshape(truths.shape)
    return _averaged(weights @ hits, weights @ found, labels, objective)


def _averaged(
    hits: NDArray[np.int64], found: NDArray[np.int64], labels: NDArray[np.int64], objective: Objective
) -> NDArray[np.float64]:
    """Rates from (B, C) counts: resamples by classes."""
    if objective.average is Average.MICRO:
        return rate(hits.sum(1), found.sum(1), labels.sum(1), objective)
    present = labels > 0
    each = np.where(present, rate(hits, found, labels, objective), 0.0)
    mean: NDArray[np.float64] = each.sum(1) / np.maximum(present.sum(1), 1)
    return mean
