"""Better than the defaults, worse, or not to be told: from repeated trainings to a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpo.evidence import dunnett, planning
from hpo.evidence.document import VerdictClaim
from hpo.trial.operating_point import Interval

_ROUNDING = 1e-12
"""A standard deviation below this is that of equal numbers."""


@dataclass(frozen=True)
class Verdict:
    """What was found of one candidate, the winner, against the defaults.

    Differences are in the metric's own unit, 0 to 1.
    """

    claim: VerdictClaim
    difference: float
    low: float
    """Lower end of Dunnett's two-sided 95% interval, simultaneous over all candidates."""
    high: float
    seeds: int
    """Trainings of the winner."""
    winner: int
    """Index of the candidate."""
    sd: float
    """Between seeds of one configuration, pooled over all groups."""
    detectable: float
    """The smallest true difference that had a chance of 80% to be proven."""
    needed: int | None
    """Seeds that would prove the observed difference with a chance of 80%; None where it is not above 0 or would take
    more than ``planning.MOST_SEEDS``."""


def decide(candidates: Sequence[Sequence[float]], control: Sequence[float], winner: int | None = None) -> Verdict:
    """Decide what is claimed of the winner, by Dunnett's two-sided 95% intervals (see ``dunnett``).

    Without any noise between the seeds of every group nothing is claimed: an interval of no width rests on nothing.

    Args:
        candidates: The values of each candidate, one a seed, at least two.
        control: The values of the defaults, one a seed, at least two.
        winner: Index of the candidate that was chosen beforehand; None takes the one of the largest mean, which the
            intervals allow, since they hold for all candidates together.

    Returns:
        The verdict on the winner.

    Raises:
        ValueError: There is no candidate, or a group has fewer than two values.
    """
    intervals = dunnett.compare(candidates, control)
    if winner is None:
        winner = max(range(len(intervals)), key=lambda index: intervals[index].value)
    found, seeds = intervals[winner], len(candidates[winner])
    sd, fewest = dunnett.pooled_sd([*candidates, control]), min(map(len, [*candidates, control]))
    return Verdict(
        claim=claim(found) if sd > _ROUNDING else VerdictClaim.NONE,
        difference=found.value,
        low=found.low,
        high=found.high,
        seeds=seeds,
        winner=winner,
        sd=sd,
        detectable=planning.detectable(sd, len(candidates), fewest),
        needed=planning.seeds_for(found.value, sd, len(candidates)),
    )


def claim(found: Interval) -> VerdictClaim:
    """Read a claim from an interval; an end at 0 claims nothing.

    Args:
        found: The difference to the defaults with its interval.

    Returns:
        ``BEATS`` where the lower bound is above 0, ``WORSE`` where the upper one is below it, else ``NONE``.
    """
    if found.low > 0:
        return VerdictClaim.BEATS
    return VerdictClaim.WORSE if found.high < 0 else VerdictClaim.NONE


def within_noise(values: Iterable[float], sd: float) -> int:
    """Count how many other values lie close to the largest.

    Args:
        values: At least one.
        sd: The reach; a value exactly so far away counts.

    Returns:
        How many values but the largest itself are at least the largest minus ``sd``.
    """
    all_values = sorted(values, reverse=True)
    return sum(value >= all_values[0] - sd for value in all_values[1:])


def sentence(verdict: Verdict, metric: str) -> str:
    """Put a verdict in words, differences in points (hundredths).

    Args:
        verdict: The verdict.
        metric: The metric as people call it: ``mAP50-95``.

    Returns:
        One line without a full stop.
    """
    difference, low, high = verdict.difference, verdict.low, verdict.high
    match verdict.claim:
        case VerdictClaim.BEATS:
            return f"beats the defaults by {_interval(verdict, metric, difference, low, high)}"
        case VerdictClaim.WORSE:
            told = _interval(verdict, metric, -difference, -high, -low)
            return f"worse than the defaults by {told}: keep the defaults"
        case VerdictClaim.NONE if verdict.sd <= _ROUNDING:
            return (
                f"no difference can be told: the {verdict.seeds} seeds of each configuration gave one and the same "
                "value, so that nothing is known of the noise: keep the defaults"
            )
        case VerdictClaim.NONE:
            return f"no difference found: keep the defaults ({_could_have(verdict)})"


def _interval(verdict: Verdict, metric: str, *bounds: float) -> str:
    value, low, high = points(*bounds)
    return f"{value} points {metric} (95% interval {low} to {high}, {verdict.seeds} seeds)"


def _could_have(verdict: Verdict) -> str:
    could, observed = (points(value)[0] for value in (verdict.detectable, verdict.difference))
    if verdict.difference <= 0:
        return f"could have proven {could} points; observed {observed}"
    if verdict.needed is None:
        return f"could have proven {could} points; the observed {observed} would take over {planning.MOST_SEEDS} seeds"
    return f"could have proven {could} points; {verdict.needed} seeds would show the observed {observed}"


def points(*values: float) -> tuple[str, ...]:
    """Write values in points (hundredths), all with as many decimals.

    Args:
        *values: In the metric's own unit, 0 to 1.

    Returns:
        A text each. Decimals are from 1 to 4: as many as keep what is not zero from looking so.
    """
    digits = next(
        (n for n in range(1, 5) if all(abs(100 * value) >= 0.5 * 10**-n for value in values if abs(value) > 1e-12)), 4
    )
    return tuple(f"{100 * value + 0.0:.{digits}f}" for value in values)
