"""Words that every room uses: scalars, metrics, reasons, and what a reason leads to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

Scalar = bool | int | float | str | None


class Metric(StrEnum):
    """Objective metrics; all lie in [0, 1] and larger is better."""

    MAP50_95 = "map50_95"
    MAP50 = "map50"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    MAP_SMALL = "map_small"
    MAP_MEDIUM = "map_medium"
    MAP_LARGE = "map_large"


class Postprocess(StrEnum):
    """Where a trial's suppression and confidence come from."""

    NONE = "none"
    """Nowhere: Ultralytics' own."""
    SAMPLED = "sampled"
    """The sampler proposes them with the rest."""
    SWEPT = "swept"
    """After the training, from its model's predictions: the best of all."""


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
    """Why an attempt at a trial ended. A closed set; each has one meaning everywhere."""

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
    """What a reason leads to."""

    state: TrialState
    run: RunStatus
    counts: bool = False
    """Whether the trial uses up one unit of the budget."""
    retry: bool = False
    """Whether another attempt (a new trial of the same ordinal) follows."""
    infeasible: bool = False
    """Told with a violated constraint, so that samplers learn to stay away (they learn nothing from FAIL)."""


ALONE = Reaction(TrialState.WAITING, RunStatus.RUNNING)
"""To running out of memory beside other trials: the same trial waits for a device of its own, and no retry is used."""


def reaction(reason: Reason, *, retries_left: int) -> Reaction:
    """The one table of what follows from a reason; ``retries_left`` is for the attempt that just ended."""
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
