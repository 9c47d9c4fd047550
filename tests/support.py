"""Values for the tests of several packages, without heavy imports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hpo.trial.kinds import Axis, Kind
from hpo.trial.operating_point import DEFAULT, Gain, KindResult, OperatingPoint, Rated, SweepResult

SCORES = {
    "precision": 0.6,
    "recall": 0.5,
    "f1": 0.54,
    "map50": 0.5,
    "map50_95": 0.3,
    "map50_all": 0.52,
    "map50_95_all": 0.31,
}


def swept(
    best: OperatingPoint = OperatingPoint(0.55, 0.41),  # noqa: B008  (frozen)
    gain: Gain = Gain("f1", 0.03, 0.01, 0.05),  # noqa: B008
    value: float = 0.53,
) -> SweepResult:
    """Return a possible result of a sweep."""
    rated, other = Rated(best, SCORES), Rated(OperatingPoint(0.6, 0.4, kind=Kind.AGNOSTIC), SCORES)
    return SweepResult(
        capture="deploy",
        images=24,
        settings=66,
        points=1200,
        seconds=0.2,
        objective=gain.metric,
        value=value,
        in_sample=0.54,
        default_value=0.5,
        feasible=True,
        default_feasible=True,
        best=rated,
        default=Rated(DEFAULT, {**SCORES, "f1": 0.5}),
        gain=gain,
        by_kind=(
            KindResult(rated, gain),
            KindResult(other, gain),
        ),
    )


def example(kind: Kind, conf: float = 0.1) -> OperatingPoint:
    """Return a setting of ``kind`` with every value that its row requires."""
    usual = {Axis.IOU: 0.5, Axis.SIGMA: 0.5, Axis.FLOOR: 0.01}
    chosen: dict[str, Any] = {axis.value: usual[axis] for axis in kind.row.axes}
    return replace(OperatingPoint(None, conf, kind=kind), **chosen)
