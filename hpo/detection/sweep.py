"""The best operating point of a detector out of everything a plan names, and an honest account of its gain."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection import evidence
from hpo.detection.choice import TOLERANCE, Choice, Chooser
from hpo.detection.counts import Picked, cut, joined, values
from hpo.detection.curves import Labels, average_precisions, curve
from hpo.detection.events import EVERY_SIZE, Events, every, single
from hpo.detection.evidence import Bootstrap, Chosen, Opponent, areas_of
from hpo.detection.predictions import Predictions
from hpo.errors import UsageError
from hpo.trial.objective import Average, Objective, Quantity
from hpo.trial.operating_point import (
    DEFAULT,
    Gain,
    Interval,
    Kind,
    KindResult,
    OperatingPoint,
    Rated,
    SweepPlan,
    SweepResult,
)
from hpo.trial.vocabulary import Metric

_BY_CLASS = (Kind.HARD, Kind.DIOU, Kind.SOFT, Kind.SOFT_LINEAR, Kind.WBF)
"""Kinds in which classes do not touch each other: each may have a threshold of its own."""


def sweep(
    predictions: Predictions,
    plan: SweepPlan,
    objective: Objective,
    *,
    test: Predictions | None = None,
    threads: int = 1,
) -> SweepResult:
    """Every setting of ``plan`` with every confidence on ``predictions``; the best one, and what it gains on others.

    Within a kind of suppression the best setting is the exact maximum. Between kinds the cross-validated value decides:
    a kind with more settings has more chances to be lucky. The gain over Ultralytics' defaults is cross-validated over
    images: what a fold is measured at was chosen on the others. With ``test`` predictions the best setting is measured
    there too. Raises UsageError for a plan that does not fit the objective or the detector.
    """
    start = time.perf_counter()
    kinds = _kinds(predictions, plan)
    check(objective, plan, predictions.names)
    fold = evidence.folds(len(predictions), plan.folds, plan.seed)
    search = _Search.of(predictions, plan, objective, fold, threads)
    account = _Account.of(predictions, plan, objective, fold)
    found = [search.run(kind) for kind in kinds]
    by_kind = [account.rate(one) for one in found]
    best, gain = account.choose(found, by_kind)
    whole, default = found[best].whole.choice, account.default
    if test is not None:
        gain = replace(gain, test=account.on_test(test, whole.point))
    default_rated, default_value = measure(predictions, default_for(predictions), objective)
    return SweepResult(
        capture=predictions.capture,
        images=len(predictions),
        settings=sum(one.settings for one in found),
        points=sum(one.points for one in found),
        seconds=time.perf_counter() - start,
        objective=str(objective),
        value=gain.value + default.value if whole.feasible else 0.0,
        in_sample=whole.value,
        default_value=default_value,
        feasible=whole.feasible,
        default_feasible=not violated(predictions, default_for(predictions), objective),
        best=by_kind[best].best,
        default=default_rated,
        gain=gain,
        by_kind=tuple(by_kind),
    )


def best_value(predictions: Predictions, plan: SweepPlan, objective: Objective, *, threads: int = 1) -> float:
    """The objective at the best setting of these very predictions: optimistic, good for comparing epochs."""
    search = _Search.of(predictions, plan, objective, None, threads)
    return max(search.run(kind).whole.choice.value for kind in _kinds(predictions, plan))


def measure(predictions: Predictions, point: OperatingPoint, objective: Objective) -> tuple[Rated, float]:
    """The scores at one setting, and the objective's value there: 0 where its conditions are not met.

    AP as an objective is of the suppression, over all confidences; in the scores it is of what lies above ``conf``.
    """
    events, labels = single(predictions, point), Labels.of(predictions)
    rated = Rated(point, scores_at(events, 0, labels, point))
    if violated(predictions, point, objective):
        return rated, 0.0
    return rated, evidence.value(evidence.at(predictions, point, objective), predictions, objective)


def violated(predictions: Predictions, point: OperatingPoint, objective: Objective) -> list[str]:
    """The objective's conditions that the setting misses on these images, with what it reaches."""
    if not objective.constraints:
        return []
    picked = evidence.at(predictions, point, Objective(Metric.F1))
    missed = []
    for constraint in objective.constraints:
        if constraint.quantity is Quantity.FP_PER_IMAGE:
            wrong = int((picked.above & ~picked.hits[:, 0]).sum())
            reached = wrong / max(len(predictions), 1)
        else:
            # without labels other classes count for nothing in a mean over classes
            average = objective.average if constraint.cls is None else Average.MACRO
            truth = predictions if constraint.cls is None else _labels_of(predictions, constraint.cls)
            reached = evidence.value(picked, truth, Objective(Metric(constraint.quantity.value), average))
        short = reached - constraint.bound if constraint.upper else constraint.bound - reached
        if short > 1e-9:
            missed.append(f"{constraint} ({reached:.3f})")
    return missed


def _labels_of(predictions: Predictions, cls: str) -> Predictions:
    own = predictions.truth_classes == predictions.names.index(cls)
    image = np.repeat(np.arange(len(predictions)), np.diff(predictions.truth_offsets))[own]
    offsets = np.searchsorted(image, np.arange(len(predictions) + 1)).astype(np.int64)
    return replace(
        predictions,
        truth_boxes=predictions.truth_boxes[own],
        truth_classes=predictions.truth_classes[own],
        truth_areas=predictions.truth_areas[own],
        truth_offsets=offsets,
    )


def scores_at(events: Events, bit: int, labels: Labels, point: OperatingPoint) -> dict[str, float]:
    """``precision, recall, f1, map50, map50_95`` of what lies above the threshold; with ``_all``, AP of everything."""
    rows = curve(_above(events, cut(events, point)), bit, labels)
    at = {"precision": rows.precision, "recall": rows.recall, "f1": rows.f}
    at |= {"map50": rows.map50, "map50_95": rows.map50_95}
    scores = {name: float(values[-1]) if len(rows) else 0.0 for name, values in at.items()}
    present = labels.counts > 0
    areas = average_precisions(events, bit, labels)[present]
    scores["map50_all"] = float(areas[:, 0].mean()) if present.any() else 0.0
    scores["map50_95_all"] = float(areas.mean()) if present.any() else 0.0
    return scores


def _above(events: Events, mask: NDArray[np.bool_]) -> Events:
    fields = ("scores", "classes", "images", "words", "rows")
    return replace(events, **{name: getattr(events, name)[mask] for name in fields})


def default_for(predictions: Predictions) -> OperatingPoint:
    """What ``yolo predict`` does with this detector."""
    return replace(DEFAULT, kind=Kind.NONE, iou=None) if predictions.suppressed else DEFAULT


def check(objective: Objective, plan: SweepPlan, names: Iterable[str]) -> None:
    """Raises UsageError, with the way out, for what can't be swept."""
    known = list(names)
    for constraint in objective.constraints:
        if constraint.cls is not None and constraint.cls not in known:
            raise UsageError(f"{constraint}: no class {constraint.cls!r}; the classes are {', '.join(known)}")
    if objective.metric in (Metric.PRECISION, Metric.RECALL) and not objective.constraints:
        other = "recall" if objective.metric is Metric.PRECISION else "precision"
        raise UsageError(
            f"{objective.metric} alone runs to an end of the confidences; add a condition: "
            f"`{objective.metric} at {other} >= 0.9`"
        )
    if plan.per_class and any(c.cls is None for c in objective.constraints):
        raise UsageError("a threshold a class goes with conditions on single classes only: `f1 at recall[NAME] >= 0.6`")
    if plan.per_class and objective.metric in (Metric.PRECISION, Metric.RECALL):
        raise UsageError(f"a threshold a class goes with F and AP objectives, not with {objective.metric}")


def _kinds(predictions: Predictions, plan: SweepPlan) -> tuple[Kind, ...]:
    if predictions.suppressed:
        return (Kind.NONE,)
    kinds = tuple(kind for kind in plan.kinds if kind is not Kind.NONE)
    if not kinds:
        raise UsageError("kinds: `none` is for heads without NMS; this detector needs one of the others")
    return kinds


@dataclass
class _Found:
    """The best of some settings: on all images, and on those without each fold."""

    whole: Chosen
    without: list[Chosen]
    settings: int = 0
    points: int = 0


@dataclass(frozen=True)
class _Search:
    predictions: Predictions
    plan: SweepPlan
    objective: Objective
    chooser: Chooser
    subsets: tuple[tuple[Labels, Labels], ...]
    """Labels of all images, then of all without each fold; each also of the objective's range of sizes."""
    threads: int

    @staticmethod
    def of(
        predictions: Predictions, plan: SweepPlan, objective: Objective, fold: NDArray[np.int64] | None, threads: int
    ) -> _Search:
        masks: list[NDArray[np.bool_] | None] = [None]
        if fold is not None and len(predictions) > 1:
            masks += [fold != k for k in range(int(fold.max()) + 1)]
        areas = areas_of(objective)
        subsets = tuple((Labels.of(predictions, mask), Labels.of(predictions, mask, areas)) for mask in masks)
        chooser = Chooser(objective, plan.conf, predictions.names, plan.per_class)
        return _Search(predictions, plan, objective, chooser, subsets, threads)

    def run(self, kind: Kind) -> _Found:
        best: list[Chosen | None] = [None] * len(self.subsets)
        chooser = self.chooser if kind in _BY_CLASS or kind is Kind.NONE else replace(self.chooser, per_class=False)
        settings = points = 0
        for events, sized in self._groups(kind):
            settings += len(events.settings)
            for bit in range(len(events.settings)):
                for index, (labels, sized_labels) in enumerate(self.subsets):
                    choice = self._choose(chooser, events, sized, bit, (labels, sized_labels))
                    points += choice.points if index == 0 else 0
                    before = best[index]
                    if choice.better_than(None if before is None else before.choice):
                        best[index] = Chosen(choice, events if sized is None else sized, bit)
        whole, *without = [chosen for chosen in best if chosen is not None]
        return _Found(whole, without or [whole], settings, points)

    def _choose(
        self, chooser: Chooser, events: Events, sized: Events | None, bit: int, labels: tuple[Labels, Labels]
    ) -> Choice:
        choice = chooser.choose(events, bit, labels[0])
        if sized is None or not choice.feasible:
            return choice
        areas = average_precisions(sized, bit, labels[1])[labels[1].counts > 0]
        return replace(choice, value=float(areas.mean()) if len(areas) else 0.0)

    def _groups(self, kind: Kind) -> Iterator[tuple[Events, Events | None]]:
        areas = areas_of(self.objective)
        plain = every(self.predictions, self.plan, kind, threads=self.threads)
        if areas == EVERY_SIZE:
            yield from ((events, None) for events in plain)
            return
        yield from zip(plain, every(self.predictions, self.plan, kind, areas=areas, threads=self.threads), strict=True)


@dataclass(frozen=True)
class _Account:
    """What choices are worth beside Ultralytics' defaults."""

    predictions: Predictions
    objective: Objective
    fold: NDArray[np.int64]
    bootstrap: Bootstrap
    default: Opponent

    @staticmethod
    def of(predictions: Predictions, plan: SweepPlan, objective: Objective, fold: NDArray[np.int64]) -> _Account:
        bootstrap = Bootstrap(plan.resamples, plan.seed)
        default = Opponent.of(predictions, default_for(predictions), objective, bootstrap)
        return _Account(predictions, objective, fold, bootstrap, default)

    def rate(self, found: _Found) -> KindResult:
        rated, _ = measure(self.predictions, found.whole.choice.point, self.objective)
        return KindResult(rated, self._gain(evidence.held_out(found.without, self.fold)))

    def choose(self, found: list[_Found], by_kind: list[KindResult]) -> tuple[int, Gain]:
        """Which kind is best, and the gain of choosing between kinds, too, on images that the choice did not see."""
        if len(found) == 1:
            return 0, by_kind[0].gain
        folds = range(int(self.fold.max()) + 1)
        held = [evidence.held_out(one.without, self.fold) for one in found]
        lines = np.stack([np.ones(len(self.fold), np.int64), *((self.fold != k).astype(np.int64) for k in folds)])
        truths = self.default.truths
        worth = np.stack([values(picked, truths, self.objective, lines) for picked in held])
        feasible = np.array([one.whole.choice.feasible for one in found])
        worth[~feasible & feasible.any()] = -1.0
        best = [int(np.argmax(column >= column.max() - TOLERANCE)) for column in worth.T]
        if len(set(best)) == 1:
            return best[0], by_kind[best[0]].gain
        stitched = joined([evidence.part_of(held[best[1 + k]], self.fold == k) for k in folds])
        return best[0], self._gain(stitched)

    def _gain(self, ours: Picked) -> Gain:
        gain = self.default.beaten_by(ours)
        return Gain(str(self.objective), gain.value, gain.low, gain.high)

    def on_test(self, test: Predictions, point: OperatingPoint) -> Interval:
        default = Opponent.of(test, default_for(test), self.objective, self.bootstrap)
        return default.beaten_by(evidence.at(test, point, self.objective))
