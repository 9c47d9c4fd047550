"""Ultralytics' validation in a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

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
