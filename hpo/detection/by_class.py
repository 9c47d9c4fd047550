"""Rows of an image, class by class: for kernels in which only boxes of one class meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.kernel import compiled


@compiled
def class_order(classes: NDArray[np.int32], first: int, last: int, n_classes: int) -> tuple[NDArray[np.int64], ...]:
    """Group rows by class; within a class they keep their order.

    Args:
        classes: (N,) indices below ``n_classes``.
        first: The first row.
        last: The row behind the last.
        n_classes: C, the number of classes.

    Returns:
        (last - first,) the rows, class by class; and (C + 1,) where each class begins in that.
    """
    begins = np.zeros(n_classes + 1, np.int64)
    for row in range(first, last):
        begins[classes[row] + 1] += 1
    for cls in range(n_classes):
        begins[cls + 1] += begins[cls]
    free, order = begins.copy(), np.empty(last - first, np.int64)
    for row in range(first, last):
        cls = classes[row]
        order[free[cls]] = row
        free[cls] += 1
    return order, begins
