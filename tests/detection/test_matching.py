"""True positives equal those of Ultralytics' own matching and, by size, those of COCO's rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ultralytics.engine.validator import BaseValidator
from ultralytics.utils.metrics import box_iou

from hpo.detection.apply import detections
from hpo.detection.events import every, single
from hpo.detection.evidence import areas_of
from hpo.detection.predictions import Predictions
from hpo.trial.kinds import Kind
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint, SweepPlan
from hpo.trial.vocabulary import Metric
from tests.detection import reference
from tests.detection.scenes import Scene, make

SIZED = [metric for metric in Metric if metric.row.areas is not None]
SEEDS = st.integers(0, 2**32 - 1)


class Matcher(BaseValidator):
    """Ultralytics' matching without the other parts of a validator."""

    def __init__(self) -> None:
        self.iouv = torch.linspace(0.5, 0.95, 10)


def labels_of(predictions: Predictions, image: int) -> tuple[np.ndarray, np.ndarray]:
    own = slice(predictions.truth_offsets[image], predictions.truth_offsets[image + 1])
    return predictions.truth_boxes[own], predictions.truth_classes[own]


def at(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return ``values[rows]``, and zeros where a row is -1: that detection can match no label."""
    found = np.zeros((len(rows), *values.shape[1:]), values.dtype)
    found[rows >= 0] = values[rows[rows >= 0]]
    return found


@given(SEEDS, st.sampled_from([0.1, 0.3, 0.7, 0.9]), st.sampled_from([Kind.HARD, Kind.AGNOSTIC, Kind.SOFT]))
@settings(max_examples=40, deadline=None)
def test_true_positives_are_those_of_ultralytics(seed: int, iou: float, kind: Kind) -> None:
    predictions = make(Scene(images=3, seed=seed))
    point = OperatingPoint(iou, 0.05, kind=kind, sigma=0.5)
    for image, found in enumerate(detections(predictions, point)):
        boxes, classes = labels_of(predictions, image)
        overlaps = box_iou(torch.from_numpy(boxes), torch.from_numpy(found.boxes))
        theirs = Matcher().match_predictions(torch.from_numpy(found.classes), torch.from_numpy(classes), overlaps)
        np.testing.assert_array_equal(found.true_positive, theirs.numpy() if len(boxes) else False)


@given(SEEDS)
@example(109284)  # no detection overlaps a label
@settings(max_examples=30, deadline=None)
def test_a_setting_alone_and_one_of_many_match_alike(seed: int) -> None:
    predictions = make(Scene(images=4, seed=seed))
    together = next(every(predictions, SweepPlan(), Kind.HARD))
    for bit in (0, 12, 24, 32):
        alone = single(predictions, together.settings[bit])
        kept = np.flatnonzero((together.masks >> np.uint64(bit)) & np.uint64(1))
        np.testing.assert_array_equal(together.scores[kept], alone.scores)
        rows = together.rows[kept]
        hits = (at(rows, together.hits)[:, 0] >> np.uint64(bit)) & np.uint64(1)
        np.testing.assert_array_equal(hits == 1, at(alone.rows, alone.hits)[:, 0] == 1)


@given(SEEDS, st.sampled_from(SIZED))
@settings(max_examples=60, deadline=None)
def test_sizes_are_matched_as_coco_does(seed: int, metric: Metric) -> None:
    predictions = make(Scene(images=2, candidates=40, seed=seed))
    events = single(predictions, DEFAULT, areas=areas_of(Objective(metric)))
    for image in range(len(predictions)):
        own = np.flatnonzero(events.images == image)
        found = detections(predictions, OperatingPoint(0.7, 0.0))[image]
        boxes, classes = labels_of(predictions, image)
        hits, ignored = reference.match_sized(
            found.boxes.astype(float), found.classes, boxes.astype(float), classes, areas_of(Objective(metric))
        )
        for ours, theirs in ((events.hits, hits), (events.ignored, ignored)):
            np.testing.assert_array_equal(at(events.rows[own], ours) == 1, theirs)


def test_boxes_are_scaled_back_and_clipped_before_they_are_matched() -> None:
    frame = (0.5, 0.5, 8.0, 16.0, 640.0, 480.0)
    framed = make(Scene(frame=frame))
    for found in detections(framed, OperatingPoint(0.7, 0.0)):
        assert (found.boxes >= 0).all()
        assert (found.boxes <= np.array([640, 480, 640, 480])).all()
    plain = detections(make(Scene()), OperatingPoint(0.7, 0.0))[1]
    expected = (plain.boxes - np.array([8, 16, 8, 16], np.float32)) / np.float32(0.5)
    np.testing.assert_allclose(detections(framed, OperatingPoint(0.7, 0.0))[1].boxes, expected.clip(0, [640, 480] * 2))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_nothing(threads: int) -> None:
    predictions = make(Scene(images=200, candidates=20))
    events = next(every(predictions, SweepPlan(), Kind.HARD, threads=threads))
    once = next(every(predictions, SweepPlan(), Kind.HARD))
    for name in ("scores", "classes", "images", "masks", "rows", "hits"):
        np.testing.assert_array_equal(getattr(events, name), getattr(once, name))
