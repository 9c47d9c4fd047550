"""The other source of chance: which images a split happens to hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hpo.evidence.dunnett import LEVEL
from hpo.trial.operating_point import Interval


def paired(ours: ArrayLike, theirs: ArrayLike, *, level: float = LEVEL) -> Interval:
    """How much larger the mean of ``ours`` is, with a percentile interval over resampled images.

    Both are (runs, 1 + B): a run's value on all images, then on B resamples. A column is one resample, the same for
    every run (paired), so that images that are hard for all do not widen the interval. With B = 0 it has no width.
    """
    gain = np.asarray(ours, np.float64).mean(axis=0) - np.asarray(theirs, np.float64).mean(axis=0)
    if len(gain) == 1:
        return Interval(float(gain[0]), float(gain[0]), float(gain[0]))
    low, high = np.quantile(gain[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(gain[0]), float(low), float(high))
