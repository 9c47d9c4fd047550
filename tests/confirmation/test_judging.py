"""A verdict from predictions: the settings are fixed before, and the parts of the gain add up to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpo.confirmation.groups import Groups
from hpo.confirmation.judging import Measurement, document, judge, metric_name
from hpo.confirmation.words import lines, paragraph
from hpo.detection.predictions import Predictions
from hpo.evidence.document import VerdictClaim
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.stage import PlannedRun, StagePlan
from hpo.trial.objective import parse
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from tests.detection.scenes import Scene, make
from tests.study.support import study_spec

POINT = OperatingPoint(0.5, 0.05)
SKILLS = {"b0": 0.50, "b1": 0.52, "a0": 0.80, "a1": 0.81, "c0": 0.60, "c1": 0.62}
"""Values of each run: two runs of the baseline, two of each of two candidates."""


def stage(objective: str = "f1", point: OperatingPoint | None = POINT) -> tuple[StudySpec, StagePlan]:
    once = [PlannedRun(None, (), (), DEFAULT), PlannedRun(4, (), (), point), PlannedRun(9, (), (), point)]
    return replace(study_spec(), objective=parse(objective)), tuple(once * 2)


def groups(winner: str = "a") -> Groups:
    def runs(name: str, first: int) -> list[Any]:
        return [(SimpleNamespace(ordinal=first + 3 * seed), Path(f"{name}{seed}")) for seed in (0, 1)]

    means = [0.9, 0.1] if winner == "a" else [0.1, 0.9]
    return Groups(runs("b", 0), [runs("a", 1), runs("c", 2)], [4, 9], means, {})


def capture(weights: Path, split: str) -> Predictions:
    assert split == "test"
    return make(Scene(images=12, skill=SKILLS[weights.name]))


@pytest.mark.parametrize("objective", ["f1", "map50_95"])
def test_a_better_detector_beats_the_defaults_and_its_gain_splits_without_a_rest(objective: str) -> None:
    found = judge(stage(objective), groups(), "test", capture)
    assert found.verdict.claim is VerdictClaim.BEATS
    assert found.images.value == pytest.approx(found.verdict.difference)
    assert found.images.low <= found.images.value <= found.images.high
    assert found.images.high > found.images.low
    assert found.training + found.operating_point == pytest.approx(found.verdict.difference)
    assert found.operating_point != 0


def test_the_winner_is_the_one_that_was_chosen_before() -> None:
    best, chosen = (judge(stage(), groups(winner), "test", capture) for winner in "ac")
    assert chosen.verdict.winner == 1
    assert chosen.verdict.difference < best.verdict.difference
    assert chosen.verdict.sd == best.verdict.sd  # all runs share one noise estimate


def test_equal_detectors_at_the_defaults_differ_in_nothing() -> None:
    found = judge(stage(point=None), groups(), "test", lambda _weights, _split: make(Scene(images=12)))
    assert (found.verdict.claim, found.verdict.difference) == (VerdictClaim.NONE, 0)
    assert (found.training, found.operating_point) == (0, 0)
    assert (found.images.low, found.images.high) == (0, 0)


def test_the_json_form_and_the_lines_say_where_it_was_measured() -> None:
    found = judge(stage(), groups(), "test", capture)
    told = document(stage()[0], groups(), found, Measurement("test", look=2, within_noise=3))
    stored = told.to_dict()
    assert list(stored)[:6] == ["claim", "difference", "low", "high", "seeds", "winner"]
    assert (stored["claim"], stored["winner"], stored["seeds"]) == ("beats", 4, 2)
    said = lines(told)
    assert "on test, look 2 at this split" in said[0]
    assert said[-1] == told.sentence
    assert said[-1].startswith("beats the defaults by ")
    assert "training +" in said[-2]
    assert paragraph(told)[0] == f"Trial 4 {told.sentence}."
    on_val = document(stage()[0], groups(), found, Measurement("val", look=1, within_noise=0))
    assert on_val.sentence.endswith("; measured on val, which also chose the winner")


def test_metrics_have_the_names_that_people_use() -> None:
    names = ("map50_95", "map50", "f1", "recall at precision >= 0.9", "map50 at recall >= 0.5")
    assert [metric_name(stage(name)[0]) for name in names] == ["mAP50-95", "mAP50", *names[2:]]
