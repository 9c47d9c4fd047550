"""What could have been proven, and what more seeds would show."""

from __future__ import annotations

import math

from hpo.evidence.dunnett import critical

POWER = 0.8
"""A difference "could have been proven" where its claim had this chance."""
MOST_SEEDS = 200


def detectable(sd: float, candidates: int, seeds: int) -> float:
    """The smallest true difference that ``seeds`` trainings a group prove with probability ``POWER``.

    ``sd``: between seeds of one configuration, in the metric's unit, which the answer has too.
    """
    from scipy import stats

    freedom = (candidates + 1) * (seeds - 1)
    reach = critical((seeds,) * candidates, seeds) + float(stats.t.ppf(POWER, freedom))
    return reach * sd * math.sqrt(2 / seeds)


def seeds_for(difference: float, sd: float, candidates: int) -> int | None:
    """How few seeds prove ``difference`` with probability ``POWER``; None where it is not above 0, or takes more than
    ``MOST_SEEDS``.
    """
    if difference <= 0 or detectable(sd, candidates, MOST_SEEDS) > difference:
        return None
    few, enough = 1, MOST_SEEDS
    while enough - few > 1:  # detectable falls as seeds grow
        middle = (few + enough) // 2
        few, enough = (few, middle) if detectable(sd, candidates, middle) <= difference else (middle, enough)
    return enough
