"""The verdict's text, and the rules that its numbers obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.evidence import planning, verdict
from hpo.evidence.document import VerdictClaim
from hpo.evidence.dunnett import critical
from hpo.evidence.images import paired
from hpo.evidence.verdict import Verdict, decide, sentence
from hpo.trial.operating_point import Interval

STEPS = st.lists(st.integers(0, 1000), min_size=3, max_size=3).map(lambda steps: [step / 1000 for step in steps])


def made(claim: VerdictClaim, difference: float, low: float, high: float, needed: int | None = None) -> Verdict:
    return Verdict(claim, difference, low, high, seeds=3, winner=0, sd=0.008, detectable=0.024, needed=needed)


def test_the_sentences() -> None:
    beats = made(VerdictClaim.BEATS, 0.031, 0.019, 0.042)
    assert sentence(beats, "mAP50-95") == "beats the defaults by 3.1 points mAP50-95 (95% interval 1.9 to 4.2, 3 seeds)"
    none = made(VerdictClaim.NONE, 0.011, -0.01, 0.03, needed=8)
    assert sentence(none, "f1") == (
        "no difference found: keep the defaults (could have proven 2.4 points; 8 seeds would show the observed 1.1)"
    )
    worse = made(VerdictClaim.WORSE, -0.031, -0.042, -0.019)
    assert sentence(worse, "recall at precision >= 0.9") == (
        "worse than the defaults by 3.1 points recall at precision >= 0.9 (95% interval 1.9 to 4.2, 3 seeds): "
        "keep the defaults"
    )


def test_a_difference_that_is_not_above_zero_asks_for_no_seeds() -> None:
    said = sentence(made(VerdictClaim.NONE, -0.002, -0.02, 0.02), "f1")
    assert said.endswith("(could have proven 2.4 points; observed -0.2)")
    said = sentence(made(VerdictClaim.NONE, 0.0002, -0.02, 0.02), "f1")
    assert "0.02 would take over 200 seeds" in said


def test_what_is_not_zero_does_not_look_so() -> None:
    assert verdict.points(0.031, 0.0002) == ("3.10", "0.02")
    assert verdict.points(0.031, 0.0) == ("3.1", "0.0")
    assert verdict.points(-0.0) == ("0.0",)


def test_a_gain_far_above_the_noise_beats_and_one_within_it_does_not() -> None:
    control = [0.50, 0.51, 0.49]
    assert decide([[0.60, 0.61, 0.59], [0.5, 0.5, 0.51]], control).claim is VerdictClaim.BEATS
    assert decide([[0.51, 0.50, 0.50], [0.5, 0.5, 0.51]], control).claim is VerdictClaim.NONE
    assert decide([[0.40, 0.41, 0.39]], control).claim is VerdictClaim.WORSE


@settings(max_examples=12, deadline=None)
@given(candidates=st.lists(STEPS, min_size=1, max_size=3), control=STEPS)
def test_a_claim_is_what_its_interval_says(candidates: list[list[float]], control: list[float]) -> None:
    found = decide(candidates, control)
    means = [float(np.mean(values)) for values in candidates]
    assert means[found.winner] == max(means)
    assert (found.claim is VerdictClaim.BEATS) == (found.low > 0)
    assert (found.claim is VerdictClaim.WORSE) == (found.high < 0)
    if found.needed is not None and found.sd > 0:
        assert planning.detectable(found.sd, len(candidates), found.needed) <= found.difference
        if found.needed > 2:
            assert planning.detectable(found.sd, len(candidates), found.needed - 1) > found.difference


@pytest.mark.parametrize("candidates", [1, 3])
def test_a_difference_that_could_have_been_proven_is_in_four_studies_of_five(candidates: int) -> None:
    rng = np.random.default_rng(0)
    gain = planning.detectable(1.0, candidates, 3)
    values = rng.normal(size=(20_000, candidates + 1, 3))
    sd = np.sqrt(values.var(axis=2, ddof=1).mean(axis=1))
    observed = gain + values[:, 1].mean(axis=1) - values[:, 0].mean(axis=1)
    proven = observed > critical((3,) * candidates, 3) * sd * np.sqrt(2 / 3)
    assert proven.mean() == pytest.approx(planning.POWER, abs=0.02)


def test_more_seeds_show_less() -> None:
    shown = [planning.detectable(0.01, 3, seeds) for seeds in (2, 3, 5, 8, 20)]
    assert shown == sorted(shown, reverse=True)


def test_trials_within_the_noise_of_the_best() -> None:
    assert verdict.within_noise([0.5, 0.48, 0.495, 0.49], sd=0.0101) == 2
    assert verdict.within_noise([0.5], sd=0.01) == 0


def test_images_are_resampled_in_pairs() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.1, 501)  # equally hard for both
    ours, theirs = np.stack([0.6 + hard] * 2), np.stack([0.5 + hard] * 3)
    found = paired(ours, theirs)
    assert found.value == pytest.approx(0.1)
    assert found.high - found.low < 1e-9
    assert paired(ours[:, :1], theirs[:, :1]) == Interval(found.value, found.value, found.value)


def test_without_any_noise_nothing_is_claimed() -> None:
    found = decide([[0.5, 0.5, 0.5]], [0.4, 0.4, 0.4])
    assert found.claim is VerdictClaim.NONE
    assert "nothing is known of the noise" in sentence(found, "mAP50-95")
