"""What could have been proven, and what more seeds would show."""

from __future__ import annotations

import math
from bisect import bisect_left

from hpo.evidence.dunnett import critical

POWER = 0.8
"""A difference "could have been proven" where its claim had this chance."""
MOST_SEEDS = 200


def detectable(sd: float, candidates: int, seeds: int) -> float:
    """Compute the smallest true difference that repeated trainings prove with probability ``POWER``.

    It is the usual power formula of a t test, with Dunnett's critical value: (c + t_POWER) * sd * sqrt(2 / seeds).

    Args:
        sd: Standard deviation between seeds of one configuration, in the metric's unit.
        candidates: Number of candidates beside the control, at least 1.
        seeds: Trainings of each candidate and of the control, at least 2.

    Returns:
        The difference, in the metric's unit.
    """
    from scipy import stats

    freedom = (candidates + 1) * (seeds - 1)
    reach = critical((seeds,) * candidates, seeds) + float(stats.t.ppf(POWER, freedom))
    return reach * sd * math.sqrt(2 / seeds)


def seeds_for(difference: float, sd: float, candidates: int) -> int | None:
    """Find how few seeds a group prove a difference with probability ``POWER``.

    Args:
        difference: The true difference, in the metric's unit.
        sd: Standard deviation between seeds of one configuration, in the metric's unit.
        candidates: Number of candidates beside the control, at least 1.

    Returns:
        The number of seeds, at least 2; None where the difference is not above 0, or takes more than ``MOST_SEEDS``.
    """
    if difference <= 0 or detectable(sd, candidates, MOST_SEEDS) > difference:
        return None
    # detectable falls as seeds grow
    tried = range(2, MOST_SEEDS)
    return 2 + bisect_left(tried, x=True, key=lambda seeds: detectable(sd, candidates, seeds) <= difference)
