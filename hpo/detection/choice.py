"""The best confidence of one suppression setting under an objective: exact, out of all distinct scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection.curves import Curve, Labels, Vector, average_precisions, curve
from hpo.detection.events import Events
from hpo.trial.objective import Average, Constraint, Objective, Quantity
from hpo.trial.operating_point import FLOOR, OperatingPoint
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
        return self.violation <= 0

    def better_than(self, other: Choice | None) -> bool:
        """Conditions first, then the value."""
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
        """The best threshold (or thresholds) of ``events.settings[bit]`` on the images of ``labels``."""
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
        """Exact: macro F separates by class; micro F by Dinkelbach's steps (1967). Classes without labels keep the
        common threshold, as nothing is known of them."""
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


@dataclass(frozen=True)
class ClassRates:
    """Rates of one class, at each of its distinct scores, from the highest down."""

    scores: Vector
    hits: Vector
    found: Vector
    labels: int

    @property
    def next_lower(self) -> Vector:
        return np.append(self.scores[1:], FLOOR)

    @property
    def precision(self) -> Vector:
        return self.hits / self.found

    @property
    def recall(self) -> Vector:
        return self.hits / max(self.labels, 1)

    @property
    def f1(self) -> Vector:
        return self.f(1.0)

    def f(self, beta: float) -> Vector:
        return (1 + beta**2) * self.hits / (self.found + beta**2 * self.labels)


def class_rates(events: Events, bit: int, labels: Labels, cls: int) -> ClassRates:
    """Counts of class ``cls`` on the images of ``labels``, at IoU 0.5."""
    kept = (events.classes == cls) & labels.used[events.images] & _has(events.masks, bit)
    rows, scores = events.rows[kept], events.scores[kept].astype(np.float64)
    hit = np.zeros(len(rows), np.bool_)
    hit[rows >= 0] = _has(events.hits[rows[rows >= 0], 0], bit)
    last = np.flatnonzero(np.append(scores[1:] < scores[:-1], True)) if len(scores) else np.empty(0, np.int64)
    found = np.arange(1, len(rows) + 1, dtype=np.float64)
    return ClassRates(scores[last], np.cumsum(hit)[last].astype(float), found[last], int(labels.counts[cls]))


def _has(masks: NDArray[np.uint64], bit: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (masks >> np.uint64(bit)) & np.uint64(1) != 0
    return found


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
    """AP of all detections: the mean over the classes with labels and the metric's IoU thresholds."""
    areas = average_precisions(events, bit, labels)[labels.counts > 0]
    if not len(areas):
        return 0.0
    return float(areas[:, : objective.metric.row.ious].mean())


def threshold(lower: float, score: float, allowed: tuple[float, float]) -> float:
    """A threshold that keeps ``score`` and not ``lower``, both fp32: the shortest decimal near their middle.

    It lies within ``allowed``, which meets [lower, score).
    """
    low, high = max(lower, allowed[0]), min(score, allowed[1])
    middle = (low + high) / 2
    for digits in range(3, 10):
        near = round(middle, digits)
        if low <= near <= high and np.float32(lower) <= np.float32(near) < np.float32(score):
            return near
    return low
