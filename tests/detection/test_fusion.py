from __future__ import annotations

import warnings

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion

from hpo.detection import fusion
from tests.detection.test_suppression import candidates

SIZE = 1000.0


@pytest.mark.parametrize("iou", [0.3, 0.55, 0.8])
@pytest.mark.parametrize("floor", [0.001, 0.25])
def test_fused_boxes_are_those_of_ensemble_boxes(iou: float, floor: float) -> None:
    for seed in range(15):
        boxes, scores, classes = candidates(seed, most=120)
        boxes += np.float32(100)  # ensemble-boxes clips to the unit square
        n = len(boxes)
        out = (np.zeros((n, 4)), np.zeros(n), np.zeros(n, np.int32))
        made = fusion.fuse(boxes, scores, classes, (0, n), 4, iou, floor, out)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            theirs = weighted_boxes_fusion(
                [boxes / SIZE], [scores], [classes], weights=[1], iou_thr=iou, skip_box_thr=floor
            )
        order = np.lexsort((-out[1][:made], out[2][:made]))
        other = np.lexsort((-theirs[1], theirs[2]))
        assert made == len(theirs[0])
        np.testing.assert_array_equal(out[2][:made][order], theirs[2][other])
        np.testing.assert_allclose(out[1][:made][order], theirs[1][other], atol=1e-6)  # theirs are fp32
        np.testing.assert_allclose(out[0][:made][order] / SIZE, theirs[0][other], atol=1e-6)
