"""The other source of chance: which images a split happens to hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpo.evidence.dunnett import LEVEL
from hpo.trial.operating_point import Interval

Runs = Sequence[NDArray[np.float64]] | NDArray[np.float64]


def paired(ours: Runs, theirs: Runs, *, level: float = LEVEL) -> Interval:
    """Compute how much larger one mean is than another, with a percentile interval over resampled images.

    It is a paired bootstrap (Efron and Tibshirani 1993): a column is one resample, the same for every run, so that
    images that are hard for all do not widen the interval.

    Args:
        ours: R runs, (1 + B,) each: its value on all images, then on B resamples. AP of many detections has fewer
            resamples, so only the resamples common to all runs count.
        theirs: S runs, the same of the others; R and S may differ.
        level: Probability that the interval covers, in (0, 1).

    Returns:
        The difference in the unit of the values, and its two-sided interval; with B = 0 it has no width.
    """
    count = min(map(len, [*ours, *theirs]))
    mean, other = (np.array([run[:count] for run in runs], np.float64).mean(axis=0) for runs in (ours, theirs))
    gain = mean - other
    if len(gain) == 1:
        return Interval(float(gain[0]), float(gain[0]), float(gain[0]))
    low, high = np.quantile(gain[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(gain[0]), float(low), float(high))
