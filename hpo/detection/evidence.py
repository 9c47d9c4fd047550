"""What a choice is worth on images that did not make it: cross-validation over images, and a paired bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.detection.choice import Choice
from hpo.detection.counts import Picked, Truths, joined, pick, values
from hpo.detection.events import EVERY_SIZE, Events, single
from hpo.detection.predictions import Predictions
from hpo.trial.objective import Objective
from hpo.trial.operating_point import Interval, OperatingPoint

LEVEL = 0.95
_WORK = 30_000_000
"""Detections a bootstrap of AP may look at: with more than 15,000 of them it takes fewer resamples than asked."""
_FEWEST = 200


@dataclass(frozen=True)
class Chosen:
    """A choice with the events that it chose from."""

    choice: Choice
    events: Events
    bit: int


@dataclass(frozen=True)
class Bootstrap:
    resamples: int
    seed: int

    def weights(self, images: int, detections: int, objective: Objective) -> NDArray[np.int64]:
        """(B, I): each line draws as many images as there are, with replacement."""
        fewer = max(_FEWEST, _WORK // max(detections, 1)) if objective.is_ap else self.resamples
        count = min(self.resamples, fewer)
        rng = np.random.default_rng(self.seed)
        return rng.multinomial(images, np.full(images, 1 / images), size=count)


def folds(images: int, count: int, seed: int) -> NDArray[np.int64]:
    """(I,) the fold of each image; sizes differ by one at most. With fewer images than folds each is its own."""
    return np.random.default_rng(seed).permutation(images) % min(count, images)


def held_out(chosen: list[Chosen], fold: NDArray[np.int64]) -> Picked:
    """Every image under the setting that was chosen without its fold."""
    parts = [pick(one.events, one.bit, one.choice.point, fold == k) for k, one in enumerate(chosen)]
    return joined(parts)


def part_of(picked: Picked, images: NDArray[np.bool_]) -> Picked:
    """What lies on ``images`` (a mask)."""
    own = images[picked.images]
    fields = ("scores", "classes", "images", "hits", "ignored", "above")
    return Picked(**{name: getattr(picked, name)[own] for name in fields})


def at(predictions: Predictions, point: OperatingPoint, objective: Objective) -> Picked:
    """Every image under one setting."""
    events = single(predictions, point, areas=areas_of(objective))
    return pick(events, 0, point, np.ones(len(predictions), np.bool_))


def areas_of(objective: Objective) -> tuple[float, float]:
    return objective.metric.row.areas or EVERY_SIZE


def value(picked: Picked, predictions: Predictions, objective: Objective) -> float:
    """The objective's metric over all images, each once."""
    once = np.ones((1, len(predictions)), np.int64)
    return float(values(picked, Truths.of(predictions, areas_of(objective)), objective, once)[0])


@dataclass(frozen=True)
class Reference:
    """A setting that others are compared with, on resampled images."""

    predictions: Predictions
    objective: Objective
    truths: Truths
    picked: Picked
    weights: NDArray[np.int64]
    """(1 + B, I): every image once, then the resamples."""
    drawn: NDArray[np.float64]
    """(1 + B,) its own values."""

    @staticmethod
    def of(predictions: Predictions, point: OperatingPoint, objective: Objective, bootstrap: Bootstrap) -> Reference:
        picked, truths = at(predictions, point, objective), Truths.of(predictions, areas_of(objective))
        n = len(predictions)
        once = np.ones((1, n), np.int64)
        weights = np.concatenate([once, bootstrap.weights(n, len(picked.scores), objective)])
        return Reference(predictions, objective, truths, picked, weights, values(picked, truths, objective, weights))

    @property
    def value(self) -> float:
        return float(self.drawn[0])

    def gain_of(self, ours: Picked) -> Interval:
        """How much better ``ours`` is in the objective's metric, with the percentile interval over images.

        Both are resampled together (paired), so that images that are hard for both do not widen it. One image alone
        says nothing about others: its interval is [-1, 1].
        """
        gain = values(ours, self.truths, self.objective, self.weights) - self.drawn
        if len(self.predictions) < 2:
            return Interval(float(gain[0]), -1.0, 1.0)
        low, high = np.quantile(gain[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(float(gain[0]), float(low), float(high))
