"""What a choice is worth on images that did not make it: cross-validation over images, and a paired bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.detection.choice import Choice
from hpo.detection.counts import values
from hpo.detection.events import single
from hpo.detection.picked import Picked, joined
from hpo.detection.predictions import EVERY_SIZE, Predictions
from hpo.trial.objective import Objective
from hpo.trial.operating_point import Interval, OperatingPoint

LEVEL = 0.95
_WORK = 30_000_000
"""Detections a bootstrap of AP may look at: with more than 15,000 of them it takes fewer resamples than asked."""
_FEWEST = 200


@dataclass(frozen=True)
class Chosen:
    """A choice with what its setting detects on all images."""

    choice: Choice
    picked: Picked


@dataclass(frozen=True)
class Bootstrap:
    """How images are resampled: a paired bootstrap over images (Efron and Tibshirani 1993)."""

    resamples: int
    seed: int

    def weights(self, images: int, detections: int, objective: Objective) -> NDArray[np.int64]:
        """Draw the resamples: each draws as many images as there are, with replacement.

        Args:
            images: I, the number of images; one alone is not resampled.
            detections: How many there are; with many, AP takes fewer resamples, but not fewer than 200.
            objective: What is measured on them.

        Returns:
            (1 + B, I) how often each image counts: every image once, then the resamples. Each line sums to I; the same
            seed gives the same lines.
        """
        once = np.ones((1, images), np.int64)
        if images < 2:
            return once
        fewer = max(_FEWEST, _WORK // max(detections, 1)) if objective.is_ap else self.resamples
        rng = np.random.default_rng(self.seed)
        drawn = rng.multinomial(images, np.full(images, 1 / images), size=min(self.resamples, fewer))
        return np.concatenate([once, drawn])


def folds(images: int, count: int, seed: int) -> NDArray[np.int64]:
    """Divide images into folds at random.

    Args:
        images: I, the number of images.
        count: Folds that are wanted; with fewer images than folds each image is a fold.
        seed: The same seed gives the same folds.

    Returns:
        (I,) the fold of each image, from 0; sizes differ by one at most.
    """
    return np.random.default_rng(seed).permutation(images) % min(count, images)


def held_out(chosen: list[Chosen], fold: NDArray[np.int64]) -> Picked:
    """Take every image under the setting that was chosen without its fold.

    Args:
        chosen: For each fold, what was chosen on the images of the others.
        fold: (I,) the fold of each image.

    Returns:
        Detections of all images, by falling score.
    """
    return joined([one.picked.cut(one.choice.point).on(fold == k) for k, one in enumerate(chosen)])


def at(predictions: Predictions, point: OperatingPoint, objective: Objective) -> Picked:
    """Take every image under one setting.

    Args:
        predictions: Candidates and labels.
        point: The setting and its confidence thresholds.
        objective: Says which sizes of labels count.

    Returns:
        Detections of all images at all confidences, by falling score.
    """
    return single(predictions, point, areas=areas_of(objective)).at(0).cut(point)


def areas_of(objective: Objective) -> tuple[float, float]:
    """Look up the range of label sizes that an objective counts.

    Args:
        objective: Any objective.

    Returns:
        [low, high) in square pixels of the original image; every size where the metric has no range.
    """
    return objective.metric.row.areas or EVERY_SIZE


def value(picked: Picked, predictions: Predictions, objective: Objective) -> float:
    """Compute the objective's metric over all images, each once.

    Args:
        picked: Detections of one setting.
        predictions: The images with their labels.
        objective: The metric; its conditions are not looked at.

    Returns:
        The value, in [0, 1].
    """
    once = np.ones((1, len(predictions)), np.int64)
    return float(values(picked, predictions.label_counts(areas_of(objective)), objective, once)[0])


@dataclass(frozen=True)
class Reference:
    """A setting that others are compared with, on resampled images."""

    objective: Objective
    truths: NDArray[np.int64]
    """(I, C) labels of each image and class."""
    weights: NDArray[np.int64]
    """(1 + B, I): every image once, then the resamples."""
    drawn: NDArray[np.float64]
    """(1 + B,) its own values, in [0, 1]."""

    @staticmethod
    def of(predictions: Predictions, point: OperatingPoint, objective: Objective, bootstrap: Bootstrap) -> Reference:
        """Measure a setting on resampled images.

        Args:
            predictions: Candidates and labels of I images.
            point: The setting to compare others with.
            objective: The metric; its conditions are not looked at.
            bootstrap: How images are resampled.

        Returns:
            The setting with its values; the first is on all images.
        """
        picked, truths = at(predictions, point, objective), predictions.label_counts(areas_of(objective))
        weights = bootstrap.weights(len(predictions), len(picked), objective)
        return Reference(objective, truths, weights, values(picked, truths, objective, weights))

    @property
    def value(self) -> float:
        """The setting's own value on all images, in [0, 1]."""
        return float(self.drawn[0])

    def gain_of(self, ours: Picked) -> Interval:
        """Compute how much better a setting is in the objective's metric, with a percentile interval over images.

        Both are resampled together (paired), so that images that are hard for both do not widen it. One image alone
        says nothing about others: its interval is [-1, 1].

        Args:
            ours: Detections of the other setting on the same images.

        Returns:
            The difference in the metric's own unit, in [-1, 1], and its two-sided 95% interval.
        """
        gain = values(ours, self.truths, self.objective, self.weights) - self.drawn
        if len(self.truths) < 2:
            return Interval(float(gain[0]), -1.0, 1.0)
        low, high = np.quantile(gain[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(float(gain[0]), float(low), float(high))
