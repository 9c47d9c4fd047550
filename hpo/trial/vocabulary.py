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


class Postprocess(StrEnum):
    NONE = "none"
    SAMPLED = "sampled"


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
    counts: bool
    """Whether the trial uses up one unit of the budget."""
    retry: bool
    """Whether another attempt (a new trial of the same ordinal) follows."""
    infeasible: bool
    """Told with a violated constraint, so that samplers learn to stay away (they learn nothing from FAIL)."""
    run: RunStatus


def reaction(reason: Reason, *, retries_left: int) -> Reaction:
    """The one table of what follows from a reason; ``retries_left`` is for the attempt that just ended."""
    match reason:
        case Reason.COMPLETE:
            return Reaction(TrialState.COMPLETE, True, False, False, RunStatus.FINISHED)
        case Reason.PRUNED:
            return Reaction(TrialState.PRUNED, True, False, False, RunStatus.KILLED)
        case Reason.DIVERGED | Reason.OOM:
            return Reaction(TrialState.PRUNED, True, False, True, RunStatus.FAILED)
        case Reason.KILLED | Reason.HUNG | Reason.CRASH | Reason.HOST_OOM | Reason.DISK:
            again = retries_left > 0
            return Reaction(TrialState.FAIL, not again, again, False, RunStatus.FAILED)
        case Reason.DATA:
            return Reaction(TrialState.FAIL, True, False, False, RunStatus.FAILED)
        case Reason.GIVEN_BACK:
            return Reaction(TrialState.WAITING, False, False, False, RunStatus.RUNNING)
        case _:
            assert_never(reason)
