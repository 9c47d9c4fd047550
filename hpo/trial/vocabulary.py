"""Words that every package uses: scalars, metrics, reasons, and the reaction to each reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from hpo.trial.rowed import Rowed

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class MetricRow:
    """The data of one metric."""

    does: str
    """Description for people; half a sentence."""
    title: str | None = None
    """Usual name among people; None where it is the metric's own name."""
    ious: int = 1
    """Number of IoU thresholds that it is averaged over, from 0.50 up in steps of 0.05."""
    is_ap: bool = False
    """Whether it is the area under a whole curve.

    A confidence threshold can only lower such a metric, so it chooses only the suppression.
    """
    areas: tuple[float, float] | None = None
    """Range of object areas that count: square pixels of the original image, the upper bound not included."""
    is_plain: bool = True
    """Whether a training's validation shows it, without a sweep."""
    is_monotone: bool = False
    """Whether it only rises or only falls with the confidence at which it is measured."""
    held_back_by: tuple[str, ...] = ()
    """Quantities that get worse where this metric is optimized without a bound on them."""


def _of_size(size: str, areas: tuple[float, float]) -> MetricRow:
    return MetricRow(f"AP of objects of COCO's size {size}", ious=10, is_ap=True, areas=areas, is_plain=False)


class Metric(Rowed):
    """Objective metrics, one row for each. All lie in [0, 1], and larger is better."""

    row: MetricRow

    MAP50_95 = "map50_95", MetricRow("AP over IoU 0.50 to 0.95", "mAP50-95", 10, is_ap=True, is_monotone=True)
    MAP50 = "map50", MetricRow("AP at IoU 0.50", "mAP50", is_ap=True, is_monotone=True)
    PRECISION = (
        "precision",
        MetricRow("the share of detections that are right", is_monotone=True, held_back_by=("recall", "f1")),
    )
    RECALL = (
        "recall",
        MetricRow(
            "the share of objects that are found", is_monotone=True, held_back_by=("precision", "f1", "fp_per_image")
        ),
    )
    F1 = "f1", MetricRow("the harmonic mean of precision and recall")
    MAP_SMALL = "map_small", _of_size("small", (0.0, 32.0**2))
    MAP_MEDIUM = "map_medium", _of_size("medium", (32.0**2, 96.0**2))
    MAP_LARGE = "map_large", _of_size("large", (96.0**2, math.inf))


class Postprocess(StrEnum):
    """The source of a trial's suppression and confidence."""

    NONE = "none"
    """Ultralytics' own settings."""
    SAMPLED = "sampled"
    """The sampler proposes them with the other parameters."""
    SWEPT = "swept"
    """A sweep over the trained model's predictions chooses the best of all."""


class TrialState(StrEnum):
    """Optuna's trial states, by their names."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"


class RunStatus(StrEnum):
    """MLflow's run states, by their names."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    KILLED = "KILLED"
    FAILED = "FAILED"


class Reason(StrEnum):
    """Why an attempt at a trial ended. The set is closed; each reason has one meaning everywhere."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    OOM = "oom"
    KILLED = "killed"
    HUNG = "hung"
    CRASH = "crash"
    HOST_OOM = "host_oom"
    DISK = "disk"
    DATA = "data"
    GIVEN_BACK = "given_back"


@dataclass(frozen=True)
class Reaction:
    """What follows from a reason."""

    state: TrialState
    run: RunStatus
    counts: bool = False
    """Whether the trial uses up one unit of the budget."""
    retry: bool = False
    """Whether another attempt (a new trial with the same ordinal) follows."""
    infeasible: bool = False
    """Whether the trial is told with a violated constraint, so that samplers avoid its values; FAIL teaches nothing."""
    pauses: bool = False
    """Whether the study is paused, because nothing of it could be trained yet."""


EXCLUSIVE = Reaction(TrialState.WAITING, RunStatus.RUNNING)
"""Reaction to running out of memory beside other trials.

The same trial waits for a device of its own, and no retry is used.
"""

PAUSED = Reaction(TrialState.WAITING, RunStatus.RUNNING, pauses=True)
"""Reaction to a failure that repeats before any trial of the study has reached its first epoch.

The same trial waits until the cause is mended, and no retry is used.
"""


def reaction(reason: Reason, *, retries_left: int) -> Reaction:
    """Return what follows from a reason. This is the only table of it.

    ``retries_left`` is for the attempt that just ended.
    """
    match reason:
        case Reason.COMPLETE:
            return Reaction(TrialState.COMPLETE, RunStatus.FINISHED, counts=True)
        case Reason.PRUNED:
            return Reaction(TrialState.PRUNED, RunStatus.KILLED, counts=True)
        case Reason.DIVERGED | Reason.OOM:
            return Reaction(TrialState.PRUNED, RunStatus.FAILED, counts=True, infeasible=True)
        case Reason.KILLED | Reason.HUNG | Reason.CRASH | Reason.HOST_OOM | Reason.DISK:
            again = retries_left > 0
            return Reaction(TrialState.FAIL, RunStatus.FAILED, counts=not again, retry=again)
        case Reason.DATA:
            return Reaction(TrialState.FAIL, RunStatus.FAILED, counts=True)
        case Reason.GIVEN_BACK:
            return Reaction(TrialState.WAITING, RunStatus.RUNNING)
        case _:
            assert_never(reason)
