"""Computation of the verdict from the stage's finished runs, on the test split if there is one."""

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
from hpo.evidence.document import Bounds, Candidate, GainParts, VerdictDocument
from hpo.evidence.images import paired
from hpo.evidence.verdict import Verdict
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.stage import StagePlan
from hpo.trial.operating_point import Interval

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
    objective = spec.objective
    control = [drawn(capture(weights, split), None, objective, bootstrap) for _, weights in groups.baseline]
    candidates: list[list[float]] = []
    ours: list[Drawn] = []
    plain: list[float] = []
    """Values of the winner's runs at the defaults."""
    for index, group in enumerate(groups.candidates):
        candidates.append([])
        for row, weights in group:
            predictions, point = capture(weights, split), plan[row.ordinal].operating_point
            if index == groups.winner:
                ours.append(drawn(predictions, point, objective, bootstrap))
                plain.append(float(drawn(predictions, None, objective, None)[0]))
            candidates[-1].append(float(drawn(predictions, point, objective, None)[0]))
    base = [float(run[0]) for run in control]
    found = verdict.decide(candidates, base, groups.winner)
    training = fmean(plain) - fmean(base)
    return Judgement(found, paired(ours, control), training, found.difference - training, fmean(base))


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
    metric = metric_name(spec)
    said = verdict.sentence(found.verdict, metric)
    facts: dict[str, Any] = {**vars(found.verdict), **vars(measurement), "winner": groups.numbers[groups.winner]}
    return VerdictDocument(
        **facts,
        metric=metric,
        baseline=found.baseline,
        images=Bounds(found.images.low, found.images.high),
        gain=GainParts(found.training, found.operating_point),
        candidates=tuple(Candidate(*each) for each in zip(groups.numbers, groups.means, strict=True)),
        left_out=groups.left_out,
        sentence=said if measurement.split == "test" else f"{said}; measured on val, which also chose the winner",
    )
