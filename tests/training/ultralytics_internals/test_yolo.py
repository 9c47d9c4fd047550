"""Ultralytics' validation in a trial."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import SMALLEST_MODEL
from tests.training.support import made_up, resolved, spread

pytestmark = pytest.mark.usefixtures("ultralytics")


@dataclass(frozen=True)
class Labelled:
    """What Ultralytics counts the objects of."""

    labels: list[dict[str, Any]]


@pytest.mark.parametrize(("chosen", "limit"), [(True, 300), (False, 400)])
def test_the_limit_of_an_operating_point_is_not_raised_on_dense_images(*, chosen: bool, limit: int) -> None:
    from hpo.training.ultralytics_internals.yolo import TrialValidator

    validator = TrialValidator(args={"max_det": 300})
    validator.keeps_limit = chosen
    validator._check_max_det(validator.args, {"val": Labelled([{"cls": np.zeros((400, 1))}])})
    assert validator.args.max_det == limit


def test_an_epoch_is_judged_by_as_many_detections_as_the_sweep_tries(tmp_path: Path) -> None:
    """A head without suppression puts out its best boxes alone; Ultralytics' own metrics and best.pt keep its limit."""
    from ultralytics.nn.tasks import DetectionModel

    from hpo.training.ultralytics_internals.yolo import SweptValidator

    model = DetectionModel({**yaml.safe_load(SMALLEST_MODEL.read_text()), "end2end": True}, nc=2, verbose=False)
    model.names = {0: "a", 1: "b"}
    spread(model)
    for last in model.model[-1].one2one_cv3:
        last[-1].bias.data[:] = -1.0
    data = resolved(made_up(tmp_path / "data", ["a", "b"], [0, 1], images=2), tmp_path)
    given = {"task": "detect", "data": str(data), "imgsz": 320, "nms": False, "plots": False, "device": "cpu"}
    validator = SweptValidator(args=given, save_dir=tmp_path)
    validator.most_detections = 1000
    validator(model=model)
    counted = len(validator.detections[1])
    assert len(validator.taken_predictions().scores) == 1000 / 300 * counted
    assert counted == 300 * validator.seen
    assert model.model[-1].max_det == 300
