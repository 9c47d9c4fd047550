"""From the stage's finished runs to its verdict, on the test split where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.confirmation.groups import Groups
from hpo.detection.evidence import Bootstrap
from hpo.detection.predictions import Predictions
from hpo.detection.repeated import drawn
from hpo.evidence import verdict
from hpo.evidence.images import paired
from hpo.evidence.verdict import Verdict
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.stage import StagePlan
from hpo.trial.operating_point import Interval, OperatingPoint
from hpo.trial.vocabulary import Metric

RESAMPLES = 2000
Drawn = NDArray[np.float64]
"""A run's value on all images, then on each resample."""
Capture = Callable[[Path, str], Predictions]
"""Predictions of weights over a split."""
_NAMES = {Metric.MAP50_95: "mAP50-95", Metric.MAP50: "mAP50"}


@dataclass(frozen=True)
class Judgement:
    """The verdict with all that is said beside it. Differences are in the metric's own unit, 0 to 1."""

    verdict: Verdict
    images: Interval
    """The same difference, with its interval over images."""
    training: float
    """Of the difference: what the weights gain, both at Ultralytics' defaults."""
    operating_point: float
    """Of the difference: what the setting gains, on the winner's weights."""
    baseline: float
    """Mean of the baseline over its seeds."""


def judge(study: tuple[StudySpec, StagePlan], groups: Groups, split: str, capture: Capture) -> Judgement:
    """Every run on ``split``, each at the setting that was fixed before; the winner was chosen before, too.

    All candidates are looked at, since Dunnett's intervals pool their noise; only the winner is spoken of.
    """
    spec, plan = study
    bootstrap = Bootstrap(RESAMPLES, spec.search.seed)
    control = [_drawn(spec, capture(weights, split), None, bootstrap) for _, weights in groups.baseline]
    candidates: list[list[float]] = []
    ours: list[Drawn] = []
    plain: list[float] = []
    """Of the winner's runs at the defaults."""
    for index, group in enumerate(groups.candidates):
        candidates.append([])
        for row, weights in group:
            predictions, point = capture(weights, split), plan[row.ordinal].operating_point
            if index == groups.winner:
                ours.append(_drawn(spec, predictions, point, bootstrap))
                plain.append(float(_drawn(spec, predictions, None, None)[0]))
            candidates[-1].append(float(_drawn(spec, predictions, point, None)[0]))
    base = [float(run[0]) for run in control]
    found = verdict.decide(candidates, base, groups.winner)
    training = fmean(plain) - fmean(base)
    return Judgement(found, _paired(ours, control), training, found.difference - training, fmean(base))


def _drawn(
    spec: StudySpec, predictions: Predictions, point: OperatingPoint | None, bootstrap: Bootstrap | None
) -> Drawn:
    return drawn(predictions, point, spec.objective, bootstrap)


def _paired(ours: list[Drawn], theirs: list[Drawn]) -> Interval:
    """AP of many detections is resampled less often; the first so many resamples are the same for all."""
    count = min(len(run) for run in (*ours, *theirs))
    return paired(np.stack([run[:count] for run in ours]), np.stack([run[:count] for run in theirs]))


def metric_name(spec: StudySpec) -> str:
    """As people call it."""
    plain = spec.objective.is_plain and not spec.objective.constraints
    return _NAMES.get(spec.objective.metric, str(spec.objective)) if plain else str(spec.objective)


def document(spec: StudySpec, groups: Groups, found: Judgement, facts: dict[str, Any]) -> dict[str, Any]:
    """The documented JSON form. ``facts``: ``split``, ``look`` and ``within_noise``."""
    won = found.verdict
    return {
        "claim": won.claim.value,
        "difference": won.difference,
        "low": won.low,
        "high": won.high,
        "seeds": won.seeds,
        "winner": groups.numbers[groups.winner],
        "metric": metric_name(spec),
        "baseline": found.baseline,
        "images": {"low": found.images.low, "high": found.images.high},
        "gain": {"training": found.training, "operating_point": found.operating_point},
        "sd": won.sd,
        "detectable": won.detectable,
        "needed": won.needed,
        "candidates": [
            {"trial": number, "mean_on_val": mean} for number, mean in zip(groups.numbers, groups.means, strict=True)
        ],
        "left_out": groups.left_out,
        **facts,
        "sentence": _sentence(spec, won, facts["split"]),
    }


def _sentence(spec: StudySpec, won: Verdict, split: str) -> str:
    said = verdict.sentence(won, metric_name(spec))
    return said if split == "test" else f"{said}; measured on val, which also chose the winner"
