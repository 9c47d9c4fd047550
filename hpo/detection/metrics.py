"""Precision, recall and F1 of a detector at one confidence threshold: arrays in, plain numbers out.

Everything here takes matched detections of a whole split, in any order:

- ``tp``: (N,) bool, whether the detection is a true positive at IoU 0.5; or (N, T) as Ultralytics' validator gives
  it, of which column 0 (IoU 0.5) counts;
- ``conf``: (N,) scores in [0, 1];
- ``pred_cls``: (N,) class index of each detection;
- ``target_cls``: (M,) class index of each ground-truth box.

A detection is kept where its score is above the threshold. With G boxes of a class, N kept detections of it and TP
true positives among them: precision TP/N (0 where N is 0), recall TP/G, F1 2TP/(N+G). Macro means the mean over the
classes that have ground truth; detections of other classes change nothing. Without any ground truth all scores are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-12
"""Macro F1 values closer than this are equal: running sums over 10^6 detections err by less than 1e-13."""


@dataclass(frozen=True)
class Scores:
    """Macro values, each in [0, 1]; ``f1`` is the mean of the classes' F1, not made from the other two."""

    precision: float
    recall: float
    f1: float


def macro_at(
    tp: NDArray[Any], conf: NDArray[Any], pred_cls: NDArray[Any], target_cls: NDArray[Any], threshold: float
) -> Scores:
    """Compute the macro scores of the detections with ``conf > threshold``.

    Args:
        tp: (N,) or (N, T) bool, true positives; of T columns the first counts (IoU 0.5).
        conf: (N,) scores in [0, 1], in any order.
        pred_cls: (N,) class index of each detection.
        target_cls: (M,) class index of each ground-truth box.
        threshold: Confidence threshold in [0, 1]; a score equal to it is not kept.

    Returns:
        The scores; all 0 without any ground truth.

    Raises:
        ValueError: A score is NaN or outside [0, 1], or the lengths differ.
    """
    matched = _Matched.of(tp, conf, pred_cls, target_cls)
    classes = len(matched.boxes)
    if not classes:
        return Scores(0.0, 0.0, 0.0)
    kept = matched.conf > threshold
    found = np.bincount(matched.cls[kept], minlength=classes)
    true = np.bincount(matched.cls[kept & matched.tp], minlength=classes)
    return Scores(
        precision=float(np.mean(true / np.maximum(found, 1))),
        recall=float(np.mean(true / matched.boxes)),
        f1=float(np.mean(2 * true / (found + matched.boxes))),
    )


def best_macro_f1(
    tp: NDArray[Any], conf: NDArray[Any], pred_cls: NDArray[Any], target_cls: NDArray[Any]
) -> tuple[float, Scores]:
    """Find the threshold of best macro F1 over all thresholds in [0, 1); O(N log N).

    Detections of equal score stay or go together. The threshold lies midway between the lowest score that is kept and
    the next lower one (or 0), so that a rounded copy of it still parts them.

    Args:
        tp: (N,) or (N, T) bool, true positives; of T columns the first counts (IoU 0.5).
        conf: (N,) scores in [0, 1], in any order.
        pred_cls: (N,) class index of each detection.
        target_cls: (M,) class index of each ground-truth box.

    Returns:
        The threshold and the scores there. Of several best thresholds (to within 1e-12 of F1) it is the highest; where
        no threshold gets above 0, it is 0.

    Raises:
        ValueError: A score is NaN or outside [0, 1], or the lengths differ.
    """
    matched = _Matched.of(tp, conf, pred_cls, target_cls)
    order = np.argsort(-matched.conf, kind="stable")
    scores = matched.conf[order]
    macro = _running_macro_f1(matched.tp[order], matched.cls[order], matched.boxes)
    next_lower = np.append(scores[1:], 0.0)
    cuts = np.flatnonzero(scores > next_lower)  # the last of each run of equal scores
    best = float(macro[cuts].max(initial=0.0))
    threshold = 0.0
    if best > 0:
        cut = cuts[np.argmax(macro[cuts] >= best - _ROUNDING)]
        threshold = _between(float(next_lower[cut]), float(scores[cut]))
    return threshold, macro_at(tp, conf, pred_cls, target_cls, threshold)


@dataclass(frozen=True)
class _Matched:
    """Detections of the classes that have ground truth, these classes numbered from 0."""

    tp: NDArray[np.bool_]
    conf: NDArray[np.float64]
    cls: NDArray[np.intp]
    boxes: NDArray[np.intp]
    """(C,) ground-truth boxes of each class, all at least 1."""

    @staticmethod
    def of(tp: NDArray[Any], conf: NDArray[Any], pred_cls: NDArray[Any], target_cls: NDArray[Any]) -> _Matched:
        at_half = np.asarray(tp, dtype=bool)
        if at_half.ndim == 2:
            at_half = at_half[:, 0]
        conf, pred_cls = np.asarray(conf, dtype=np.float64), np.asarray(pred_cls)
        if not at_half.shape == conf.shape == pred_cls.shape == (len(conf),):
            raise ValueError(
                f"one row a detection: tp has {at_half.shape}, conf {conf.shape}, pred_cls {pred_cls.shape}"
            )
        if not np.all((conf >= 0) & (conf <= 1)):
            raise ValueError("scores must be numbers in [0, 1]; a NaN among them means that the training diverged")
        classes, boxes = np.unique(np.asarray(target_cls), return_counts=True)
        known = np.isin(pred_cls, classes)
        return _Matched(at_half[known], conf[known], np.searchsorted(classes, pred_cls[known]), boxes)


def _running_macro_f1(tp: NDArray[np.bool_], cls: NDArray[np.intp], boxes: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N,) macro F1 of the first 1, 2, ..., N detections, which come in falling order of score."""
    by_class = np.argsort(cls, kind="stable")
    own, true = cls[by_class], tp[by_class].astype(np.int64)
    position = np.arange(len(own))
    first = np.searchsorted(own, own)  # where the class of each row begins
    before = np.cumsum(true) - true
    true_so_far = before + true - before[first]
    f1 = 2 * true_so_far / (position - first + 1 + boxes[own])
    previous = np.where(position == first, 0.0, np.roll(f1, 1))
    step = np.empty(len(own))
    step[by_class] = f1 - previous
    macro: NDArray[np.float64] = np.cumsum(step) / max(len(boxes), 1)
    return macro


def _between(low: float, high: float) -> float:
    """A number in [low, high): the middle, or ``low`` where no float lies between."""
    middle = (low + high) / 2
    return middle if middle < high else low
