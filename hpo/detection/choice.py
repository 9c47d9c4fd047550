"""The best confidence of one suppression setting under an objective: exact, out of all distinct scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection.average_precision import Vector, average_precisions
from hpo.detection.curves import Curve, Labels, curve
from hpo.detection.picked import Picked
from hpo.detection.rates import ClassRates, class_rates, rate
from hpo.trial.objective import Average, Constraint, Objective, Quantity
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Metric

TOLERANCE = 1e-12
"""Values closer than this are equal; of equal thresholds the highest is taken."""


@dataclass(frozen=True)
class Choice:
    """A setting and what it is worth on the images that chose it."""

    point: OperatingPoint
    value: float
    """Value of the objective; 0 where its conditions are not met."""
    violation: float = 0.0
    """By how much the conditions are missed, summed; 0 where they are met."""
    points: int = 0
    """Distinct confidences that were looked at."""

    @property
    def feasible(self) -> bool:
        """Whether all conditions of the objective are met."""
        return self.violation <= 0

    def better_than(self, other: Choice | None) -> bool:
        """Compare two choices: conditions first, then the value.

        Args:
            other: The choice to beat; None is beaten by any.

        Returns:
            True only where this one is better by more than ``TOLERANCE``, so that the first of equals stays.
        """
        if other is None:
            return True
        if not (self.feasible and other.feasible):
            return self.violation < other.violation - TOLERANCE
        return self.value > other.value + TOLERANCE


@dataclass(frozen=True)
class Chooser:
    """How a setting's confidence is chosen."""

    objective: Objective
    conf: tuple[float, float]
    """Lowest and highest threshold allowed."""
    names: Sequence[str]
    per_class: bool = False

    def choose(
        self, picked: Picked, setting: OperatingPoint, labels: Labels, sized: tuple[Picked, Labels] | None = None
    ) -> Choice:
        """Find the best threshold (or one a class) of a setting on some images.

        Every distinct score within ``conf`` is tried. Images without labels of a class are not asked a condition on it.
        Where no threshold meets the conditions, the one that misses them by least is taken and the value is 0. Of equal
        values the highest threshold is taken. Macro F separates by class; thresholds a class for micro F are found by
        Dinkelbach's steps (Dinkelbach 1967, Management Science 13:492).

        Args:
            picked: What the setting detects, on all images of the split.
            setting: The setting.
            labels: The labels and which images are looked at.
            sized: The same two, matched and counted for the range of sizes of an AP objective; None for every size.

        Returns:
            The setting with its threshold and what it is worth on these images.
        """
        rows = curve(picked, labels, self.confidence_objective.beta, ap=False)
        if not len(rows):
            return self._nothing_kept(setting, self.conf[1], labels)
        found = self._one_threshold(rows, picked, setting, labels)
        if self.per_class:
            found = self._threshold_a_class(found, picked, labels)
        if self.objective.is_ap and found.feasible:
            found = replace(found, value=ap_value(*(sized or (picked, labels)), self.objective))
        return replace(found, points=len(rows))

    @property
    def confidence_objective(self) -> Objective:
        """What chooses the confidence: AP does not, so that the best macro F1 does."""
        return replace(self.objective, metric=Metric.F1, beta=1.0) if self.objective.is_ap else self.objective

    def _asked_of(self, labels: Labels) -> list[Constraint]:
        return [c for c in self.objective.constraints if labels.can_answer(c, self.names)]

    def _nothing_kept(self, setting: OperatingPoint, conf: float, labels: Labels) -> Choice:
        """Precision, recall and F of nothing are 0, and so are its false positives."""
        missed = sum(constraint.bound for constraint in self._asked_of(labels) if not constraint.upper)
        return Choice(replace(setting, conf=conf), 0.0, missed)

    def _one_threshold(self, rows: Curve, picked: Picked, setting: OperatingPoint, labels: Labels) -> Choice:
        low, high = self.conf
        values = _metric(rows, labels, self.confidence_objective)
        missed = np.zeros(len(rows))
        for constraint in self._asked_of(labels):
            missed += np.maximum(0.0, self._shortfall(constraint, rows, picked, labels))
        missed = np.where((rows.scores > low) & (rows.next_lower <= high), missed, np.inf)
        least = missed.min()
        if not np.isfinite(least):  # every score lies below the lowest threshold allowed
            return self._nothing_kept(setting, low, labels)
        best = _first_best(values, missed <= max(least, 0.0) + TOLERANCE)
        point = replace(setting, conf=self._threshold(rows, best))
        return Choice(point, 0.0, float(missed[best])) if least > TOLERANCE else Choice(point, float(values[best]))

    def _shortfall(self, constraint: Constraint, rows: Curve, picked: Picked, labels: Labels) -> Vector:
        if constraint.quantity is Quantity.FP_PER_IMAGE:
            per_image: Vector = (rows.found - rows.hits) / max(labels.images, 1)
            return per_image - constraint.bound
        wanted = Objective(Metric(constraint.quantity.value), self.objective.average)
        if constraint.cls is not None:
            rates = class_rates(picked, labels, list(self.names).index(constraint.cls))
            at = np.searchsorted(-rates.scores, -rows.scores, side="right")
            return constraint.bound - np.append(0.0, rates.of(wanted))[at]
        if constraint.quantity is Quantity.F1 and self.confidence_objective.beta != 1.0:
            rows = curve(picked, labels, 1.0, ap=False)
        return constraint.bound - _metric(rows, labels, wanted)

    def _threshold_a_class(self, joint: Choice, picked: Picked, labels: Labels) -> Choice:
        """Choose a threshold for each class, exactly: macro F separates by class; micro F by Dinkelbach's steps (1967).

        Classes without labels keep the common threshold, as nothing is known of them.
        """
        objective = self.confidence_objective
        rates = {int(c): class_rates(picked, labels, int(c)) for c in np.flatnonzero(labels.counts)}
        allowed, missed = {}, 0.0
        for c, own in rates.items():
            allowed[c], short = self._allowed(own, self.names[c])
            missed += short
        if objective.average is Average.MACRO:
            scores = {c: own.of(replace(objective, metric=Metric.F1)) for c, own in rates.items()}
            picks = {c: _first_best(scores[c], allowed[c]) for c in rates}
            values = [scores[c][k] if k >= 0 else 0.0 for c, k in picks.items()]
            value = float(np.mean(values)) if values else 0.0
        else:
            picks, value = _dinkelbach(rates, allowed, labels, objective.beta)
        thresholds = [joint.point.conf] * len(self.names)
        for c, k in picks.items():
            thresholds[c] = self._threshold(rates[c], k)
        point = replace(joint.point, conf=min(thresholds), per_class_conf=tuple(thresholds))
        return Choice(point, 0.0, missed) if missed > TOLERANCE else Choice(point, value)

    def _threshold(self, rows: Curve | ClassRates, row: int) -> float:
        """The threshold that keeps a row and what lies above it; the highest allowed one for row -1, which is none."""
        if row < 0:
            return self.conf[1]
        return threshold(float(rows.next_lower[row]), float(rows.scores[row]), self.conf)

    def _allowed(self, rates: ClassRates, name: str) -> tuple[NDArray[np.bool_], float]:
        """Rows within the range of confidences that meet the conditions on this class, or miss them by least."""
        within = (rates.scores > self.conf[0]) & (rates.next_lower <= self.conf[1])
        own = [constraint for constraint in self.objective.constraints if constraint.cls == name]
        if not within.any():
            return within, sum(constraint.bound for constraint in own)
        missed = np.zeros(len(rates.scores))
        for constraint in own:
            missed += np.maximum(0.0, constraint.bound - rates.of(Objective(Metric(constraint.quantity.value))))
        least = float(missed[within].min())
        return within & (missed <= least + TOLERANCE), least


def _first_best(values: Vector, allowed: NDArray[np.bool_]) -> int:
    """The first of the best rows, which has the highest threshold; -1 where none is allowed."""
    if not allowed.any():
        return -1
    return int(np.argmax(allowed & (values >= values[allowed].max() - TOLERANCE)))


def _dinkelbach(
    rates: dict[int, ClassRates], allowed: dict[int, NDArray[np.bool_]], labels: Labels, beta: float
) -> tuple[dict[int, int], float]:
    """Maximizes (1 + b^2) sum TP / (sum N + b^2 sum G) over one row a class, or none of it.

    With the best ratio so far as price, each class maximizes (1 + b^2) TP - price * N alone; the ratio of what they
    choose is the next price, until it stays. Classes under a condition must keep something.
    """
    total = float(labels.counts.sum())
    price, picks = 0.0, dict.fromkeys(rates, -1)
    for _ in range(100):
        for c, own in rates.items():
            worth = (1 + beta**2) * own.hits - price * own.found
            k = _first_best(worth, allowed[c])
            picks[c] = k if k >= 0 and worth[k] > 0 else -1
        hits = sum(rates[c].hits[k] for c, k in picks.items() if k >= 0)
        found = sum(rates[c].found[k] for c, k in picks.items() if k >= 0)
        ratio = (1 + beta**2) * hits / (found + beta**2 * total) if total else 0.0
        if ratio <= price + TOLERANCE:
            return picks, float(ratio)
        price = ratio
    return picks, float(price)


def _metric(rows: Curve, labels: Labels, objective: Objective) -> Vector:
    """Precision, recall or F of every row, as the objective averages it."""
    if objective.average is Average.MICRO:
        return rate(rows.hits, rows.found, int(labels.counts.sum()), objective)
    return {Metric.PRECISION: rows.precision, Metric.RECALL: rows.recall, Metric.F1: rows.f}[objective.metric]


def ap_value(picked: Picked, labels: Labels, objective: Objective) -> float:
    """Compute the AP of all detections of a setting, whatever their confidence.

    Args:
        picked: Detections of one setting.
        labels: The labels and which images are looked at.
        objective: An AP objective; its metric says over which IoU thresholds the mean is taken.

    Returns:
        The mean over the classes with labels, in [0, 1]; 0 where there are none.
    """
    weights = labels.used.astype(np.int64)
    areas, _ = average_precisions(picked, weights, labels.counts, objective.metric.row.ious)
    present = labels.counts > 0
    return float(areas[present].mean()) if present.any() else 0.0


def threshold(lower: float, score: float, allowed: tuple[float, float]) -> float:
    """Find a threshold that keeps one score and not the next lower one: the shortest decimal near their middle.

    Both ends are compared in fp32, as a detector's scores are.

    Args:
        lower: The highest score that is not to be kept.
        score: The lowest score to keep, above ``lower``.
        allowed: Lowest and highest threshold allowed, both included; the range meets [lower, score).

    Returns:
        The threshold, within ``allowed``: a detection is kept where its score is above it.
    """
    low, high = max(lower, allowed[0]), min(score, allowed[1])
    middle = (low + high) / 2
    for digits in range(3, 10):
        near = round(middle, digits)
        if low <= near <= high and np.float32(lower) <= np.float32(near) < np.float32(score):
            return near
    return low
