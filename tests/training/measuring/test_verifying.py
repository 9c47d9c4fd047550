"""The check finds a folder's numbers again from its detections, for any operating point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.detection.apply import detections
from hpo.detection.predictions import ImagePredictions, Predictions, collect
from hpo.detection.rating import measure
from hpo.trial.families import Family
from hpo.trial.kinds import SUPPRESSING, Kind
from hpo.trial.objective import parse
from hpo.trial.operating_point import OperatingPoint
from tests.detection.scenes import Scene, make
from tests.support import example

pytestmark = pytest.mark.usefixtures("ultralytics")
BY_CLASS = (0.2, 0.05, 0.4)


@pytest.mark.parametrize(
    "point",
    [*map(example, SUPPRESSING), replace(example(Kind.SOFT, 0.05), per_class_conf=BY_CLASS)],
    ids=lambda point: f"{point.kind}{'-by-class' if point.per_class_conf else ''}",
)
def test_what_is_measured_of_detections_is_what_the_setting_was_rated_by(point: OperatingPoint) -> None:
    from hpo.training.measuring import verifying
    from hpo.training.ultralytics_internals.weights import Weights

    predictions = make(Scene(images=12))
    weights = Weights(
        Path("best.pt"),
        "",
        None,
        tuple(predictions.names),
        64,
        single_cls=False,
        classes=None,
        family=Family.ONE_BRANCH,
    )
    folder = verifying._Folder(Path(), weights, point, 64, {})
    found = verifying.metrics(_detected(predictions, folder.open_point), point, "f1")
    rated, value = measure(predictions, point, parse("f1"))
    assert found == pytest.approx({"objective": value, **rated.scores}, abs=1e-6)


def _detected(predictions: Predictions, point: OperatingPoint) -> Predictions:
    from hpo.training.ultralytics_internals.candidates import IDENTITY

    images = []
    for index, found in enumerate(detections(predictions, point)):
        truth = slice(*predictions.truth_offsets[index : index + 2])
        images.append(
            ImagePredictions(
                predictions.images[index],
                found.boxes,
                found.scores,
                found.classes,
                IDENTITY,
                predictions.truth_boxes[truth],
                predictions.truth_classes[truth],
                predictions.truth_areas[truth],
            )
        )
    return collect(images, predictions.names, "deploy", suppressed=True)
