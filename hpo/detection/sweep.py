"""The best operating point of a detector out of everything a plan names, and an honest account of its gain."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.detection import evidence
from hpo.detection.choice import TOLERANCE
from hpo.detection.counts import values
from hpo.detection.curves import Labels
from hpo.detection.evidence import Bootstrap, Reference
from hpo.detection.picked import Picked, joined
from hpo.detection.predictions import Predictions
from hpo.detection.rating import default_for, measure, violated
from hpo.detection.search import Found, SettingsSearch
from hpo.errors import UsageError
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import Gain, Interval, KindResult, OperatingPoint, SweepPlan, SweepResult


def sweep(
    predictions: Predictions,
    plan: SweepPlan,
    objective: Objective,
    *,
    test: Predictions | None = None,
    threads: int = 1,
) -> SweepResult:
    """Try every setting of a plan with every confidence; find the best one, and what it gains on other images.

    Within a kind of suppression the best setting is the exact maximum. Between kinds the cross-validated value decides:
    a kind with more settings has more chances to be lucky. The gain over Ultralytics' defaults is cross-validated over
    images: what a fold is measured at was chosen on the others.

    Args:
        predictions: Candidates and labels of the images that choose.
        plan: Names the settings, the folds and the resamples.
        objective: What is optimized, and its conditions.
        test: Candidates and labels of other images, where the best setting is measured too.
        threads: Threads that share the blocks of images; the result does not depend on it.

    Returns:
        The best setting of all and of each kind, with their gains; differences are in the metric's own unit.

    Raises:
        hpo.errors.UsageError: The plan does not fit the objective or the detector.
    """
    start = time.perf_counter()
    kinds = _kinds(predictions, plan)
    check(objective, plan, predictions.names)
    fold = evidence.folds(len(predictions), plan.folds, plan.seed)
    search = SettingsSearch.of(predictions, plan, objective, fold, threads)
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
    """Compute the objective at the best setting of these very images: optimistic, good for comparing epochs.

    Args:
        predictions: Candidates and labels.
        plan: Names the settings.
        objective: What is optimized, and its conditions.
        threads: Threads that share the blocks of images; the result does not depend on it.

    Returns:
        The value, in [0, 1]; 0 where no setting meets the conditions.

    Raises:
        hpo.errors.UsageError: The plan names no kind that fits the detector.
    """
    search = SettingsSearch.of(predictions, plan, objective, None, threads)
    return max(search.run(kind).whole.choice.value for kind in _kinds(predictions, plan))


def check(objective: Objective, plan: SweepPlan, names: Iterable[str]) -> None:
    """Check that an objective can be swept.

    Args:
        objective: What is optimized, and its conditions.
        plan: Says whether each class gets a threshold of its own.
        names: Names of the classes.

    Raises:
        hpo.errors.UsageError: A condition names an unknown class, the objective has no maximum inside the
            confidences, or a threshold a class does not fit it. The message says the way out.
    """
    known = list(names)
    for constraint in objective.constraints:
        if constraint.cls is not None and constraint.cls not in known:
            raise UsageError(f"{constraint}: no class {constraint.cls!r}; the classes are {', '.join(known)}")
    held_back_by = objective.metric.row.held_back_by
    if held_back_by and not objective.constraints:
        raise UsageError(
            f"{objective.metric} alone runs to an end of the confidences; add a condition: "
            f"`{objective.metric} at {held_back_by[0]} >= 0.9`"
        )
    if plan.per_class and any(c.cls is None for c in objective.constraints):
        raise UsageError("a threshold a class goes with conditions on single classes only: `f1 at recall[NAME] >= 0.6`")
    if plan.per_class and held_back_by:
        raise UsageError(f"a threshold a class goes with F and AP objectives, not with {objective.metric}")


def check_labels(objective: Objective, predictions: Predictions, split: str) -> None:
    """Check that the labels of a split can answer an objective: else every setting would be worth the same.

    Args:
        objective: What is optimized, and its conditions.
        predictions: Candidates and labels of the split.
        split: Its name.

    Raises:
        hpo.errors.UsageError: A condition is on a class, or the metric on a size, that no label has. The message says
            the way out.
    """
    labels = Labels.of(predictions)
    for constraint in objective.constraints:
        if constraint.cls in predictions.names and not labels.can_answer(constraint, predictions.names):
            raise UsageError(
                f"`{constraint}`: no image of the split {split} has a label of {constraint.cls}: add some, or drop the "
                "condition"
            )
    low, high = evidence.areas_of(objective)
    if not predictions.label_counts((low, high)).any():
        size = f"{objective.metric.value.removeprefix('map_')} object (area from {low:g} to {high:g} px)"
        raise UsageError(
            f"{objective.metric}: the split {split} has no {size}, so that every setting would be worth 0: use "
            "map50_95, another size or another split"
        )


def _kinds(predictions: Predictions, plan: SweepPlan) -> tuple[Kind, ...]:
    if predictions.suppressed:
        return (Kind.NONE,)
    kinds = tuple(kind for kind in plan.kinds if kind is not Kind.NONE)
    if not kinds:
        raise UsageError("kinds: `none` is for heads without NMS; this detector needs one of the others")
    return kinds


@dataclass(frozen=True)
class _Account:
    """What choices are worth beside Ultralytics' defaults."""

    predictions: Predictions
    objective: Objective
    fold: NDArray[np.int64]
    bootstrap: Bootstrap
    default: Reference

    @staticmethod
    def of(predictions: Predictions, plan: SweepPlan, objective: Objective, fold: NDArray[np.int64]) -> _Account:
        bootstrap = Bootstrap(plan.resamples, plan.seed)
        default = Reference.of(predictions, default_for(predictions), objective, bootstrap)
        return _Account(predictions, objective, fold, bootstrap, default)

    def rate(self, found: Found) -> KindResult:
        rated, _ = measure(self.predictions, found.whole.choice.point, self.objective)
        return KindResult(rated, self._gain(evidence.held_out(found.without, self.fold)))

    def choose(self, found: list[Found], by_kind: list[KindResult]) -> tuple[int, Gain]:
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
        stitched = joined([held[best[1 + k]].on(self.fold == k) for k in folds])
        return best[0], self._gain(stitched)

    def _gain(self, ours: Picked) -> Gain:
        gain = self.default.gain_of(ours)
        return Gain(str(self.objective), gain.value, gain.low, gain.high)

    def on_test(self, test: Predictions, point: OperatingPoint) -> Interval:
        default = Reference.of(test, default_for(test), self.objective, self.bootstrap)
        return default.gain_of(evidence.at(test, point, self.objective))
