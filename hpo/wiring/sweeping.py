"""A sweep of weights, without a study."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions
    from hpo.trial.objective import Objective
    from hpo.trial.operating_point import SweepPlan, SweepResult


@dataclass(frozen=True)
class SweepRequest:
    """Options of a sweep's predictions (see ``hpo.training.measuring.predictions.PredictionsRequest``)."""

    weights: Path
    data: Path
    split: str
    imgsz: int | None
    capture: str
    device: str = "auto"
    trust: bool = False


@dataclass(frozen=True)
class Swept:
    """Result of a sweep, with its predictions and options."""

    result: SweepResult
    predictions: Predictions
    request: SweepRequest
    imgsz: int

    def save(self, folder: Path) -> list[Path]:
        """Write the sweep's files into ``folder``."""
        from hpo.training.measuring.sweep_files import write

        weights = self.request.weights.resolve()
        title = f"{weights.name} on {self.request.data}, split {self.request.split}"
        to = folder.resolve()
        return write(self.result, self.predictions, to, title=title, weights=weights, imgsz=self.imgsz)


def sweep(
    request: SweepRequest,
    plan: SweepPlan,
    objective: Objective,
    settings: Settings,
    *,
    with_test: bool,
    progress: Callable[[str, int, int], None],
) -> Swept:
    """Capture (or load) the predictions and sweep them; ``progress`` gets the split, images done and all images.

    If the data has a test split, ``with_test`` also measures the gain there; a sweep of the test split itself has no
    other split to measure.
    """
    from hpo.dataset.description import describe
    from hpo.training import environment
    from hpo.training.measuring.predictions import PredictionsRequest, captured

    os.environ.update(environment.kernel_cache(settings.home))

    def predictions(split: str) -> tuple[Predictions, int]:
        wanted = PredictionsRequest(
            request.weights, request.data, split, request.imgsz, request.capture, request.device, request.trust
        )
        return captured(wanted, settings, progress=lambda done, images: progress(split, done, images))

    found, imgsz = predictions(request.split)
    splits = describe(request.data, settings.cache).splits
    test = predictions("test")[0] if with_test and "test" in splits and request.split != "test" else None
    from hpo.detection.sweep import sweep as search

    result = search(found, plan, objective, test=test, threads=len(os.sched_getaffinity(0)))
    return Swept(result, found, request, imgsz)
