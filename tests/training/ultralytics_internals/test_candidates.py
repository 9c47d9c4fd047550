"""The kept part of a raw output is what Ultralytics' NMS would have used, in its order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpo.trial.operating_point import FLOOR

pytestmark = pytest.mark.usefixtures("ultralytics")


def output(classes: int, images: int = 3, anchors: int = 400, seed: int = 0) -> Any:
    """Return (images, 4 + classes, anchors) with overlapping boxes; half of all scores are below the floor, many are
    equal.
    """
    import torch

    made = torch.Generator().manual_seed(seed)
    boxes = torch.rand(images, 4, anchors, generator=made) * torch.tensor([200, 200, 90, 90])[None, :, None]
    scores = (torch.rand(images, classes, anchors, generator=made) * 50).round() / 50
    scores[torch.rand(images, classes, anchors, generator=made) < 0.5] = FLOOR
    return torch.cat((boxes, scores), 1)


@pytest.mark.parametrize("classes", [1, 3, 80])
@pytest.mark.parametrize("multi_label", [True, False])
def test_suppression_of_the_candidates_is_suppression_of_the_output(classes: int, *, multi_label: bool) -> None:
    import torch
    from torchvision.ops import nms
    from ultralytics.utils.nms import non_max_suppression

    from hpo.training.ultralytics_internals.candidates import candidates_of

    raw = output(classes)
    theirs = non_max_suppression(raw.clone(), FLOOR, 0.6, multi_label=multi_label, max_det=10**6)
    ours = candidates_of((raw, {}), multi_label=multi_label, end2end=False)
    for (boxes, scores, cls), expected in zip(ours, theirs, strict=True):
        apart = torch.from_numpy(boxes) + torch.from_numpy(cls).float()[:, None] * 7680
        kept = nms(apart, torch.from_numpy(scores), 0.6).numpy()
        rows = np.column_stack((boxes[kept], scores[kept], cls[kept]))
        assert np.array_equal(rows, expected.numpy())


def test_rows_of_a_head_without_suppression_are_candidates_as_they_are() -> None:
    import torch

    from hpo.training.ultralytics_internals.candidates import candidates_of

    rows = torch.tensor([[[1.0, 2, 30, 40, 0.9, 1], [5, 6, 7, 8, FLOOR, 0]]])
    ((boxes, scores, classes),) = candidates_of(rows, multi_label=False, end2end=True)
    assert boxes.tolist() == [[1, 2, 30, 40]]
    assert scores.tolist() == pytest.approx([0.9])
    assert classes.tolist() == [1]


@pytest.mark.parametrize("multi_label", [True, False])
def test_a_score_that_is_no_number_is_kept_for_the_error(*, multi_label: bool) -> None:
    from hpo.training.ultralytics_internals.candidates import candidates_of

    raw = output(classes=3, images=2)
    raw[1, 5, 17] = float("nan")
    first, second = candidates_of(raw, multi_label=multi_label, end2end=False)
    assert np.isfinite(first[1]).all()
    assert np.isnan(second[1]).sum() == 1
