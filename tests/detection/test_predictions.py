from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.detection.apply import detections
from hpo.detection.predictions import MAX_CANDIDATES, ImagePredictions, collect
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import OperatingPoint
from tests.detection.scenes import Scene, make, subset

FRAME = (1.0, 1.0, 0.0, 0.0, 640.0, 480.0)
ONE = ImagePredictions(
    "a.jpg",
    boxes=np.array([[0, 0, 5, 5], [1, 1, 6, 6], [2, 2, 7, 7]]),
    scores=np.array([0.2, 0.9, 0.2]),
    classes=np.array([0, 1, 2]),
    frame=FRAME,
    truth_boxes=np.empty((0, 4)),
    truth_classes=np.empty(0),
    truth_areas=np.empty(0),
)
NAMES = ("x", "y", "z")


def test_candidates_come_in_falling_order_of_score_and_ties_as_they_were() -> None:
    found = collect([ONE], NAMES, "deploy")
    assert found.classes.tolist() == [1, 0, 2]
    assert {found.boxes.dtype.name, found.scores.dtype.name} == {"float32"}


def test_no_more_than_ultralytics_looks_at() -> None:
    n = MAX_CANDIDATES + 5
    crowd = replace(ONE, boxes=np.ones((n, 4)), scores=np.linspace(0, 1, n), classes=np.zeros(n, int))
    found = collect([ONE, crowd], NAMES, "deploy")
    assert np.diff(found.offsets).tolist() == [3, MAX_CANDIDATES]
    assert found.scores[3] == 1.0


@pytest.mark.parametrize(
    ("change", "masks"),
    [
        ({"scores": np.array([0.1, np.nan, 0.3])}, "a.jpg: the detector predicts scores that are no numbers"),
        ({"scores": np.array([0.1, 1.5, 0.3])}, "a.jpg: the detector predicts scores"),
        ({"boxes": np.full((3, 4), np.inf)}, "boxes that are no numbers"),
        ({"classes": np.array([0, 3, 1])}, "a candidate of class 3; there are 3 classes"),
        ({"truth_classes": np.array([7])}, "a label of class 7"),
    ],
)
def test_what_is_broken_names_the_image(change: dict[str, Any], masks: str) -> None:
    with pytest.raises(ValueError, match=masks):
        collect([replace(ONE, **change)], NAMES, "deploy")


def test_of_some_classes_the_others_are_neither_found_nor_overlooked() -> None:
    whole = make(Scene(images=6, seed=2))
    found = whole.only([0, 2])
    for index in range(len(whole)):
        one, left = subset(whole, [index]), subset(found, [index])
        assert left.scores.tolist() == one.scores[one.classes != 1].tolist()
        assert left.boxes.tolist() == one.boxes[one.classes != 1].tolist()
        assert left.truth_boxes.tolist() == one.truth_boxes[one.truth_classes != 1].tolist()
        assert left.truth_areas.tolist() == one.truth_areas[one.truth_classes != 1].tolist()
    assert set(found.classes) == set(found.truth_classes) == {0, 2}
    assert whole.only(None) is whole


def test_a_subset_is_what_these_images_alone_would_be() -> None:
    other = replace(
        ONE, name="b.jpg", truth_boxes=np.ones((2, 4)), truth_classes=np.array([1, 2]), truth_areas=np.ones(2)
    )
    both = collect([ONE, other, ONE], NAMES, "deploy")
    some, alone = subset(both, [1, 2]), collect([other, ONE], NAMES, "deploy")
    for name in vars(alone):
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name))


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(Kind)))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_candidates_come_changes_nothing(seed: int, kind: Kind) -> None:
    """Scores are distinct here; for equal ones the order of the detector's output decides, as in torchvision's NMS."""
    scene = make(Scene(images=1, candidates=40, seed=seed))  # its lowest scores are equal
    predictions = replace(scene, scores=np.linspace(0.99, 0.01, 40, dtype=np.float32))
    order = np.random.default_rng(seed).permutation(40)
    image = ImagePredictions(
        "a.jpg",
        predictions.boxes[order],
        predictions.scores[order],
        predictions.classes[order],
        (1.0, 1.0, 0.0, 0.0, np.inf, np.inf),
        predictions.truth_boxes,
        predictions.truth_classes,
        predictions.truth_areas,
    )
    point = OperatingPoint(0.45, 0.01, kind=kind, sigma=0.4)
    (one,) = detections(predictions, point)
    (other,) = detections(collect([image], predictions.names, "val"), point)
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
