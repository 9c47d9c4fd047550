"""Weighted boxes fusion (Solovyev et al. 2021) of one model's boxes: clusters are averaged instead of thinned out.

In falling order of score each candidate joins the cluster of its class whose fused box has the largest IoU with it,
if that is above the threshold, else it opens one. A fused box is the mean of its members' corners weighted by score;
its score is their mean score. Low candidates pull that mean down: the floor that they must reach is part of a setting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.by_class import class_order
from hpo.detection.kernel import compiled
from hpo.detection.suppression import Span


@compiled
def fuse(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    span: Span,
    n_classes: int,
    iou: float,
    floor: float,
    fused: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]],
) -> int:
    """Fuse the candidates of one image into averaged boxes (Solovyev et al. 2021, arXiv 1910.13302).

    A candidate joins a cluster where the IoU is above ``iou``; equal to it is not enough. Of clusters with equal IoU it
    joins the first. Boxes of different classes are never fused.

    Args:
        boxes: (N, 4) float32 x1, y1, x2, y2 in pixels.
        scores: (N,) in [0, 1], falling within the span.
        classes: (N,) indices below ``n_classes``.
        span: First candidate of the image, and first of the next.
        n_classes: C, the number of classes.
        iou: Threshold in (0, 1].
        floor: Candidates of a lower score are left out, as are those without area.
        fused: Boxes (n, 4) float64, scores (n,) float64 and classes (n,) int32, with room for all candidates of the
            span. They are written from row 0 on, class by class, and within a class in the order in which clusters were
            opened.

    Returns:
        How many fused boxes were written.
    """
    out_boxes, out_scores, out_classes = fused
    order, begins = class_order(classes, span[0], span[1], n_classes)
    total = 0
    for group in range(n_classes):
        first = total
        members = np.zeros(begins[group + 1] - begins[group])
        weights = np.zeros(len(members))
        sums = np.zeros((len(members), 4))
        for at in range(begins[group], begins[group + 1]):
            row = order[at]
            score = np.float64(scores[row])
            x1, y1 = np.float64(boxes[row, 0]), np.float64(boxes[row, 1])
            x2, y2 = np.float64(boxes[row, 2]), np.float64(boxes[row, 3])
            own = (x2 - x1) * (y2 - y1)
            if score < floor or own <= 0.0:
                continue
            best, where = iou, total
            for k in range(first, total):
                w = min(x2, out_boxes[k, 2]) - max(x1, out_boxes[k, 0])
                h = min(y2, out_boxes[k, 3]) - max(y1, out_boxes[k, 1])
                if w > 0.0 and h > 0.0:
                    inter = w * h
                    area = (out_boxes[k, 2] - out_boxes[k, 0]) * (out_boxes[k, 3] - out_boxes[k, 1])
                    overlap = inter / (area + own - inter)
                    if overlap > best:
                        best, where = overlap, k
            if where == total:
                total += 1
                out_classes[where] = group
            cluster = where - first
            members[cluster] += 1
            weights[cluster] += score
            for side in range(4):
                sums[cluster, side] += score * boxes[row, side]
                out_boxes[where, side] = sums[cluster, side] / weights[cluster]
            out_scores[where] = weights[cluster] / members[cluster]
    return total
