"""Agreement of the detections of two runtimes of one model."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.detection.predictions import ImagePredictions, Predictions, collect
from hpo.training.measuring.agreement import agreement

Row = tuple[float, float, float, float, float, int]
ENDLESS = (1.0, 1.0, 0.0, 0.0, float("inf"), float("inf"))
ONE: Row = (10, 10, 50, 50, 0.8, 0)
OTHER: Row = (60, 60, 90, 90, 0.6, 1)


def found(*rows: Row) -> Predictions:
    """Return an image with these boxes (x1, y1, x2, y2, score, class)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    none = np.empty(0, np.float32)
    image = ImagePredictions(
        "a", table[:, :4], table[:, 4], table[:, 5].astype(np.int32), ENDLESS, none.reshape(0, 4), none, none
    )
    return collect([image], ["x", "y"], "deploy", suppressed=True)


def test_the_same_detections_agree() -> None:
    told = agreement(found(ONE, OTHER), found(OTHER, ONE), 0.25)
    assert told == {"detections": 4, "missing": 0, "score": 0.0}


@pytest.mark.parametrize(
    "theirs",
    [
        (),
        ((10, 10, 50, 50, 0.8, 1),),  # another class
        ((10, 10, 50, 50, 0.75, 0),),  # another score
        ((10, 10, 50, 56, 0.8, 0),),  # another box
    ],
)
def test_a_detection_without_its_like_is_missing_on_both_sides(theirs: tuple[Row, ...]) -> None:
    told = agreement(found(ONE), found(*theirs), 0.25)
    assert told["missing"] == told["detections"] == 1 + len(theirs)


def test_a_match_is_used_once() -> None:
    assert agreement(found(ONE, ONE), found(ONE), 0.25)["missing"] == 1


def test_small_differences_are_told_and_what_lies_at_the_threshold_may_be_on_either_side() -> None:
    near: Row = (10, 10, 50, 50, 0.795, 0)
    told = agreement(found(ONE, (1, 1, 9, 9, 0.2505, 0)), found(near), 0.25)
    assert told["missing"] == 0
    assert told["score"] == pytest.approx(0.005, abs=1e-6)
