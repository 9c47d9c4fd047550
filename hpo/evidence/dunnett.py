"""Several candidates against one control: Dunnett's simultaneous intervals (Dunnett 1955, JASA 50:1096).

All intervals hold together with the stated probability, so that the best candidate may be picked by the same numbers.
They assume groups that are independent, roughly normal and equally noisy; what happens where that fails is measured in
``benchmarks/verdict.py``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from hpo.trial.operating_point import Interval

LEVEL = 0.95
_NODES = 128


def pooled_sd(groups: Sequence[ArrayLike]) -> float:
    """Compute the standard deviation within groups, all together (N - groups degrees of freedom).

    Args:
        groups: One array-like of numbers a group; at least one group has two values.

    Returns:
        The pooled standard deviation, in the unit of the values.
    """
    arrays = [np.asarray(group, np.float64) for group in groups]
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in arrays)
    return math.sqrt(squares / sum(len(group) - 1 for group in arrays))


def compare(candidates: Sequence[ArrayLike], control: ArrayLike, *, level: float = LEVEL) -> tuple[Interval, ...]:
    """Compute how much larger each candidate's mean is than the control's, with two-sided simultaneous intervals.

    The method is Dunnett's (1955, JASA 50:1096), as ``scipy.stats.dunnett`` has it. The same numbers give the same
    intervals: scipy integrates by quasi Monte Carlo, here with a fixed seed. Where nothing varies at all, an interval
    is its value.

    Args:
        candidates: One array-like of numbers a candidate; groups may differ in size.
        control: The numbers of the control.
        level: Probability that all intervals hold together, in (0, 1).

    Returns:
        An interval for each candidate, in their order and in the unit of the values.

    Raises:
        ValueError: There is no candidate, or a group has fewer than two values.
    """
    groups = [np.asarray(group, np.float64) for group in (*candidates, control)]
    small = [len(group) for group in groups if len(group) < 2]
    if small or len(groups) < 2:
        raise ValueError(f"Dunnett needs a candidate, and two values a group, not {small or 'the control alone'}")
    means = [float(group.mean()) for group in groups]
    differences = [mean - means[-1] for mean in means[:-1]]
    if pooled_sd(groups) <= 1e-9 * max(map(abs, means)):  # rounding, no noise
        return tuple(Interval(difference, difference, difference) for difference in differences)
    from scipy import stats

    with warnings.catch_warnings():
        # its root finder stops at the accuracy of the integration, 1e-3 of the interval's width, and says so
        warnings.filterwarnings("ignore", "Computation of the confidence interval", UserWarning)
        found = stats.dunnett(*groups[:-1], control=groups[-1], rng=np.random.default_rng(0))
        intervals = found.confidence_interval(level)
    pairs = zip(differences, intervals.low, intervals.high, strict=True)
    return tuple(Interval(value, float(low), float(high)) for value, low, high in pairs)


@cache
def critical(sizes: tuple[int, ...], control: int, level: float = LEVEL) -> float:
    """Find the c with P(all abs(t) <= c) = ``level`` in Dunnett's comparison (1955, JASA 50:1096).

    It depends on the sizes alone. It is found by Gaussian quadrature over what the t values share (the control's mean
    and the pooled variance), deterministic, to about 1e-6: what scipy integrates by quasi Monte Carlo.

    Args:
        sizes: Number of values of each candidate, each at least 1.
        control: Number of values of the control, at least 2.
        level: Probability that all intervals hold together, in (0, 1).

    Returns:
        The critical value, without a unit.
    """
    from scipy import optimize, special, stats

    freedom = sum(sizes) + control - len(sizes) - 1
    nodes, weights = special.roots_legendre(_NODES)
    spread = np.sqrt(stats.chi2.ppf((nodes + 1) / 2, freedom) / freedom)
    shared, shares = special.roots_hermitenorm(_NODES)
    shares = shares / shares.sum()
    loads = np.sqrt([size / (size + control) for size in sizes])

    def inside(c: float) -> float:
        within = np.ones((_NODES, _NODES))
        for load in loads:
            own = math.sqrt(1 - load**2)
            centre, reach = load * shared[None, :], c * spread[:, None]
            within *= special.ndtr((centre + reach) / own) - special.ndtr((centre - reach) / own)
        return float((weights / 2) @ within @ shares)

    return float(optimize.brentq(lambda c: inside(c) - level, 0.5, 200.0, xtol=1e-9))
