"""The text about a sweep agrees with its recommendation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.trial import wording
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import DEFAULT, Gain, Interval, OperatingPoint
from tests.support import swept


@pytest.mark.parametrize(
    ("gain", "says", "recommended"),
    [
        (Gain("f1", 0.03, 0.01, 0.05), "+0.0300 f1 over iou 0.7, conf 0.25", "best"),
        (Gain("f1", 0.03, -0.01, 0.07), "holds 0", "default"),
        (Gain("f1", -0.03, -0.05, -0.01), "a loss", "default"),
        (Gain("f1", 0.03, 0.01, 0.05, Interval(-0.01, -0.03, 0.01)), "on test images", "default"),
    ],
)
def test_the_gain_comes_with_its_interval_and_what_follows(gain: Gain, says: str, recommended: str) -> None:
    found = swept(gain=gain)
    said = wording.gain(found)
    assert says in said
    assert f"{gain.decisive.low:+.4f} to {gain.decisive.high:+.4f}" in said
    assert found.recommended == recommended
    assert ("the defaults are recommended" in said) == (recommended == "default")


def test_conditions_decide_before_gains() -> None:
    missed = replace(swept(), feasible=False)
    assert "no setting meets the conditions" in wording.gain(missed)
    only_best = replace(swept(gain=Gain("f1", 0.0, -0.1, 0.1)), default_feasible=False)
    assert only_best.recommended == "best"
    assert "because the defaults miss the conditions" in wording.gain(only_best)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (DEFAULT, "iou 0.7, conf 0.25"),
        (OperatingPoint(0.5, 0.3, 100, Kind.AGNOSTIC), "agnostic, iou 0.5, conf 0.3, max_det 100"),
        (OperatingPoint(None, 0.3, kind=Kind.SOFT, sigma=0.4), "soft, sigma 0.4, conf 0.3"),
        (OperatingPoint(None, 0.3, kind=Kind.NONE), "conf 0.3"),
        (OperatingPoint(0.5, 0.2, per_class_conf=(0.2, 0.45)), "iou 0.5, conf a class 0.2 0.45"),
    ],
)
def test_a_setting_names_what_is_not_as_usual(point: OperatingPoint, said: str) -> None:
    assert wording.setting(point) == said


def test_one_image_is_not_said_to_have_been_measured_by_others() -> None:
    alone = replace(swept(), images=1)
    assert "on the one image that chose it" in wording.gain(alone)
    assert "on images that did not choose it" in wording.gain(replace(alone, images=2))
    assert "cross-validated" not in wording.measured(1)
    assert not alone.to_dict()["cross_validated"]


def test_what_val_can_not_show_is_named() -> None:
    assert wording.cautions(2, 0) == []
    assert "val is one image" in wording.cautions(1, 0)[0]
    assert ["3 of 5 images of val are in train" in said for said in wording.cautions(5, 3)] == [True]
