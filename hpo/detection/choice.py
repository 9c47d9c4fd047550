"""The best confidence of one suppression setting under an objective: exact, out of all distinct scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection.curves import Curve, Labels, Vector, average_precisions, curve
from hpo.detection.events import Events
from hpo.detection.rates import ClassRates, class_rates
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

    def choose(self, events: Events, bit: int, labels: Labels) -> Choice:
        """Find the best threshold (or one a class) of a setting on some images.

        Every distinct score within ``conf`` is tried. Where no threshold meets the conditions, the one that misses them
        by least is taken and the value is 0. Of equal values the highest threshold is taken. Macro F separates by
        class; thresholds a class for micro F are found by Dinkelbach's steps (Dinkelbach 1967, Management Science
        13:492).

        Args:
            events: Detections of a group of settings, on all images of the split.
            bit: Index of the setting in ``events.settings``.
            labels: The labels and which images are looked at.

        Returns:
            The setting with its threshold and what it is worth on these images.
        """
        rows = curve(events, bit, labels, self.confidence_objective.beta, ap=False)
        setting = events.settings[bit]
        if not len(rows):
            missed = sum(1.0 for c in self.objective.constraints if not c.upper)
            return Choice(replace(setting, conf=self.conf[1]), 0.0, missed)
        found = self._one_threshold(rows, events, bit, labels)
        if self.per_class:
            found = self._threshold_a_class(found, events, bit, labels)
        if self.objective.is_ap and found.feasible:
            found = replace(found, value=ap_value(events, bit, labels, self.objective))
        return replace(found, points=len(rows))

    @property
    def confidence_objective(self) -> Objective:
        """What chooses the confidence: AP does not, so that the best macro F1 does."""
        return replace(self.objective, metric=Metric.F1, beta=1.0) if self.objective.is_ap else self.objective

    def _one_threshold(self, rows: Curve, events: Events, bit: int, labels: Labels) -> Choice:
        low, high = self.conf
        objective = self.confidence_objective
        values = _metric(rows, labels, objective)
        missed = np.zeros(len(rows))
        for constraint in objective.constraints:
            missed += np.maximum(0.0, self._shortfall(constraint, rows, events, bit, labels))
        missed = np.where((rows.scores > low) & (rows.next_lower <= high), missed, np.inf)
        least = missed.min()
        if not np.isfinite(least):  # every score lies below the lowest threshold allowed
            return Choice(replace(events.settings[bit], conf=low), 0.0, float(len(objective.constraints)))
        open_ = missed <= max(least, 0.0) + TOLERANCE
        best = int(np.argmax(open_ & (values >= values[open_].max() - TOLERANCE)))
        conf = threshold(float(rows.next_lower[best]), float(rows.scores[best]), self.conf)
        violation = float(missed[best]) if least > TOLERANCE else 0.0
        return Choice(replace(events.settings[bit], conf=conf), 0.0 if violation else float(values[best]), violation)

    def _shortfall(self, constraint: Constraint, rows: Curve, events: Events, bit: int, labels: Labels) -> Vector:
        if constraint.quantity is Quantity.FP_PER_IMAGE:
            per_image: Vector = (rows.found - rows.hits) / max(labels.images, 1)
            return per_image - constraint.bound
        if constraint.cls is not None:
            scores = class_rates(events, bit, labels, list(self.names).index(constraint.cls))
            at = np.searchsorted(-scores.scores, -rows.scores, side="right") - 1
            value = np.where(at >= 0, getattr(scores, constraint.quantity.value)[np.maximum(at, 0)], 0.0)
            return constraint.bound - value
        if constraint.quantity is Quantity.F1 and self.confidence_objective.beta != 1.0:
            rows = curve(events, bit, labels, 1.0, ap=False)
        wanted = Objective(Metric(constraint.quantity.value), self.objective.average)
        return constraint.bound - _metric(rows, labels, wanted)

    def _threshold_a_class(self, joint: Choice, events: Events, bit: int, labels: Labels) -> Choice:
        """Choose a threshold for each class, exactly: macro F separates by class; micro F by Dinkelbach's steps (1967).

        Classes without labels keep the common threshold, as nothing is known of them.
        """
        objective = self.confidence_objective
        rates = {int(c): class_rates(events, bit, labels, int(c)) for c in np.flatnonzero(labels.counts)}
        thresholds = [joint.point.conf] * len(self.names)
        missed = 0.0
        allowed = {}
        for c, rate in rates.items():
            allowed[c], short = self._allowed(rate, self.names[c])
            missed += short
        if objective.average is Average.MACRO:
            picks = {c: _first_best(rate.f(objective.beta), allowed[c]) for c, rate in rates.items()}
            values = [rates[c].f(objective.beta)[k] if k >= 0 else 0.0 for c, k in picks.items()]
            value = float(np.mean(values)) if values else 0.0
        else:
            picks, value = _dinkelbach(rates, allowed, labels, objective.beta)
        for c, k in picks.items():
            rate = rates[c]
            thresholds[c] = (
                self.conf[1] if k < 0 else threshold(float(rate.next_lower[k]), float(rate.scores[k]), self.conf)
            )
        point = replace(joint.point, conf=min(thresholds), per_class_conf=tuple(thresholds))
        return Choice(point, 0.0 if missed > TOLERANCE else value, missed if missed > TOLERANCE else 0.0)

    def _allowed(self, rate: ClassRates, name: str) -> tuple[NDArray[np.bool_], float]:
        """Rows within the range of confidences that meet the conditions on this class, or miss them by least."""
        within = (rate.scores > self.conf[0]) & (rate.next_lower <= self.conf[1])
        missed = np.zeros(len(rate.scores))
        for constraint in self.objective.constraints:
            if constraint.cls == name:
                missed += np.maximum(0.0, constraint.bound - getattr(rate, constraint.quantity.value))
        if not within.any():
            return within, sum(constraint.cls == name for constraint in self.objective.constraints) * 1.0
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
        picks = {}
        for c, rate in rates.items():
            worth = (1 + beta**2) * rate.hits - price * rate.found
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
    macro, total, beta2 = objective.average is Average.MACRO, int(labels.counts.sum()), objective.beta**2
    match objective.metric:
        case Metric.PRECISION:
            return rows.precision if macro else rows.hits / rows.found
        case Metric.RECALL:
            return rows.recall if macro else rows.hits / max(total, 1)
        case Metric.F1:
            return rows.f if macro else (1 + beta2) * rows.hits / (rows.found + beta2 * total)
        case Metric.MAP50_95 | Metric.MAP50 | Metric.MAP_SMALL | Metric.MAP_MEDIUM | Metric.MAP_LARGE:
            raise ValueError(f"{objective.metric} is of a whole curve, and of no single row")


def ap_value(events: Events, bit: int, labels: Labels, objective: Objective) -> float:
    """Compute the AP of all detections of a setting, whatever their confidence.

    Args:
        events: Detections of a group of settings.
        bit: Index of the setting in ``events.settings``.
        labels: The labels and which images are looked at.
        objective: An AP objective; its metric says over which IoU thresholds the mean is taken.

    Returns:
        The mean over the classes with labels, in [0, 1]; 0 where there are none.
    """
    areas = average_precisions(events, bit, labels)[labels.counts > 0]
    if not len(areas):
        return 0.0
    return float(areas[:, : objective.metric.row.ious].mean())


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
