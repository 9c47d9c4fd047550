"""Several trainings of one configuration on one split: what each is worth, and on resampled images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpo.detection.evidence import Bootstrap, Reference
from hpo.detection.predictions import Predictions
from hpo.detection.rating import default_for
from hpo.trial.objective import Objective
from hpo.trial.operating_point import DEFAULT, OperatingPoint


def drawn(
    predictions: Predictions, point: OperatingPoint | None, objective: Objective, bootstrap: Bootstrap | None
) -> NDArray[np.float64]:
    """Measure a setting on all images and on resamples of them.

    Resamples are of the images' positions: they are the same for all predictions of one split, and as many where the
    predictions are about as many. The objective's conditions are not looked at, as wherever a setting is given.

    Args:
        predictions: Candidates and labels of I images.
        point: The setting; None stands for Ultralytics' defaults.
        objective: The metric.
        bootstrap: How images are resampled; None draws no resamples, as one image alone does.

    Returns:
        (1 + B,) float64 in [0, 1]: the value with every image once, then those of B resamples.
    """
    used = default_for(predictions) if point is None or point == DEFAULT else point
    return Reference.of(predictions, used, objective, bootstrap or Bootstrap(0, 0)).drawn
