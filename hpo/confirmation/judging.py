"""Computation of the verdict from the stage's finished runs, on the test split if there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hpo.confirmation.groups import Groups
from hpo.detection.evidence import Bootstrap
from hpo.detection.predictions import Predictions
from hpo.detection.repeated import drawn
from hpo.evidence import verdict
from hpo.evidence.document import Bounds, Candidate, GainParts, VerdictDocument
from hpo.evidence.images import paired
from hpo.evidence.verdict import Verdict
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.stage import StagePlan
from hpo.trial.operating_point import Interval, OperatingPoint

RESAMPLES = 2000
Drawn = NDArray[np.float64]
"""Value of a run on all images, then on each resample."""
Capture = Callable[[Path, str], Predictions]
"""Function that returns the predictions of weights on a split."""


@dataclass(frozen=True)
class Judgement:
    """The verdict with its further facts. Differences are in the metric's own unit, 0 to 1."""

    verdict: Verdict
    images: Interval
    """The same difference, with its interval over images."""
    training: float
    """The part of the difference that comes from the weights, both at Ultralytics' defaults."""
    operating_point: float
    """The part of the difference that comes from the setting, on the winner's weights."""
    baseline: float
    """Mean of the baseline over its seeds."""


def judge(study: tuple[StudySpec, StagePlan], groups: Groups, split: str, capture: Capture) -> Judgement:
    """Evaluate every run on ``split``, each at its setting; settings and winner were chosen before.

    All candidates are evaluated, since Dunnett's intervals pool their noise; the result is about the winner only.
    """
    spec, plan = study
    bootstrap = Bootstrap(RESAMPLES, spec.search.seed)
    control = [_drawn(spec, capture(weights, split), None, bootstrap) for _, weights in groups.baseline]
    candidates: list[list[float]] = []
    ours: list[Drawn] = []
    plain: list[float] = []
    """Values of the winner's runs at the defaults."""
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
    """Return the paired interval. AP of many detections has fewer resamples, so only the resamples common to
    all count.
    """
    count = min(len(run) for run in (*ours, *theirs))
    return paired(np.stack([run[:count] for run in ours]), np.stack([run[:count] for run in theirs]))


def metric_name(spec: StudySpec) -> str:
    """Return the usual name of the metric."""
    plain = spec.objective.is_plain and not spec.objective.constraints
    return (spec.objective.metric.row.title if plain else None) or str(spec.objective)


@dataclass(frozen=True)
class Measurement:
    """Data on which the runs were measured."""

    split: str
    look: int
    """Number of this look at this split of this data, from 1."""
    within_noise: int
    """Number of other trials of the search that lie within the noise of its best."""


def document(spec: StudySpec, groups: Groups, found: Judgement, measurement: Measurement) -> VerdictDocument:
    """Return the stored document about the winner."""
    won = found.verdict
    return VerdictDocument(
        claim=won.claim,
        difference=won.difference,
        low=won.low,
        high=won.high,
        seeds=won.seeds,
        winner=groups.numbers[groups.winner],
        metric=metric_name(spec),
        baseline=found.baseline,
        images=Bounds(found.images.low, found.images.high),
        gain=GainParts(found.training, found.operating_point),
        sd=won.sd,
        detectable=won.detectable,
        needed=won.needed,
        candidates=tuple(Candidate(*each) for each in zip(groups.numbers, groups.means, strict=True)),
        left_out=groups.left_out,
        split=measurement.split,
        look=measurement.look,
        within_noise=measurement.within_noise,
        sentence=_sentence(spec, won, measurement.split),
    )


def _sentence(spec: StudySpec, won: Verdict, split: str) -> str:
    said = verdict.sentence(won, metric_name(spec))
    return said if split == "test" else f"{said}; measured on val, which also chose the winner"
