"""How often the verdict is right: studies made of random numbers whose truth is known.

    python -m benchmarks.verdict [--studies 10000]

Three candidates and a baseline, each trained with 3 or 5 seeds. The candidate of the largest mean is the winner, as
in ``hpo confirm``, and three rules speak about it: Dunnett's interval (ours), a pooled t interval that does not know
that the winner was picked, and "best of search", which claims whatever is largest. Exit code 1 where ours misses a bar.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.evidence.dunnett import critical

CANDIDATES = 3
GAIN = 3.0
"""Gain of a candidate that is better, in standard deviations (root of the groups' mean variance)."""
NOISES = ("equal", "noisy baseline", "noisy candidate", "skewed low", "skewed high")
TRUTHS = ("none better", "one better", "all better")
COVERAGE, FALSE = 0.94, 0.05
POWER = {3: 0.70, 5: 0.95}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    noise: str
    truth: str
    seeds: int

    @property
    def gains(self) -> Array:
        """True gain of each candidate."""
        better = {"none better": 0, "one better": 1, "all better": CANDIDATES}[self.truth]
        gains: Array = np.where(np.arange(CANDIDATES) < better, GAIN, 0.0)
        return gains

    def draw(self, studies: int, rng: np.random.Generator) -> Array:
        """(studies, 1 + candidates, seeds); the baseline first, and the noise's pooled variance is 1."""
        shape = (studies, 1 + CANDIDATES, self.seeds)
        noise: Array = rng.normal(size=shape)
        if self.noise.startswith("skewed"):  # a gamma distribution of shape 4 has mean 4, variance 4, skewness 1
            noise = (rng.gamma(4.0, size=shape) - 4) / 2 * (1 if self.noise == "skewed high" else -1)
        scale = np.ones(1 + CANDIDATES)
        scale[{"noisy baseline": [0], "noisy candidate": [1]}.get(self.noise, [])] = 2.0
        scale /= np.sqrt((scale**2).mean())
        values: Array = noise * scale[:, None] + np.concatenate([[0.0], self.gains])[:, None]
        return values


@dataclass(frozen=True)
class Score:
    """Shares of the studies."""

    coverage: float
    """The interval of the winner's gain holds its true gain."""
    false: float
    """"Beats" is said of a winner that is not better."""
    power: float
    """"Beats" is said of one that is."""


def intervals(values: Array, reach: float) -> tuple[Array, Array]:
    """(studies, candidates) gains over the baseline, and (studies, 1) half widths at ``reach`` standard errors."""
    means = values.mean(axis=2)
    sd = np.sqrt(values.var(axis=2, ddof=1).mean(axis=1))
    return means[:, 1:] - means[:, :1], (reach * sd * np.sqrt(2 / values.shape[2]))[:, None]


def reaches(seeds: int) -> dict[str, float]:
    """Standard errors that each rule's interval reaches to either side."""
    from scipy import stats

    freedom = (CANDIDATES + 1) * (seeds - 1)
    return {
        "Dunnett": critical((seeds,) * CANDIDATES, seeds),
        "pooled t": float(stats.t.ppf(0.975, freedom)),
        "best of search": 0.0,
    }


def score(case: Case, values: Array, reach: float) -> Score:
    gain, half = intervals(values, reach)
    winner = gain.argmax(axis=1)[:, None]
    true, observed = case.gains[winner[:, 0]], np.take_along_axis(gain, winner, axis=1)[:, 0]
    beats, better = observed - half[:, 0] > 0, true > 0
    covered = np.abs(observed - true) <= half[:, 0]
    return Score(float(covered.mean()), float((beats & ~better).mean()), float((beats & better).mean()))


def simulate(studies: int, seed: int = 0) -> dict[Case, dict[str, Score]]:
    """Every case by every rule."""
    cases = [Case(*names) for names in itertools.product(NOISES, TRUTHS, POWER)]
    found = {}
    for number, case in enumerate(cases):
        values = case.draw(studies, np.random.default_rng((seed, number)))
        found[case] = {rule: score(case, values, reach) for rule, reach in reaches(case.seeds).items()}
    return found


def misses(case: Case, found: Score, tolerance: float = 0.0) -> list[str]:
    """Which bars a rule misses in a case, by more than ``tolerance``."""
    bars = [("coverage", found.coverage >= COVERAGE - tolerance), ("false claims", found.false <= FALSE + tolerance)]
    if case.truth != "none better":
        bars.append(("power", found.power >= POWER[case.seeds] - tolerance))
    return [name for name, met in bars if not met]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=10_000)
    studies = parser.parse_args().studies
    missed = 0
    for case, rules in simulate(studies).items():
        print(f"{case.noise}, {case.truth}, {case.seeds} seeds")
        for rule, found in rules.items():
            lacks = misses(case, found)
            missed += bool(lacks) and rule == "Dunnett"
            said = f"  misses {', '.join(lacks)}" if lacks else ""
            print(f"  {rule:15} coverage {found.coverage:.3f}  false {found.false:.3f}  power {found.power:.3f}{said}")
    print(f"{studies} studies a case; cases in which Dunnett misses a bar: {missed}")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
