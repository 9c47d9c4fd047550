"""A sweep of weights, without a study."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpo import files
from hpo.settings import Settings
from hpo.trial import wording

if TYPE_CHECKING:
    from hpo.detection.predictions import Predictions
    from hpo.training.measuring.predictions import PredictionsRequest
    from hpo.trial.objective import Objective
    from hpo.trial.operating_point import SweepPlan, SweepResult


Show = Callable[[str, int, int], None]
"""Callback that gets the split, the number of images done, and the number of all images."""


@dataclass(frozen=True)
class Swept:
    """Result of a sweep, with its predictions and options."""

    result: SweepResult
    predictions: Predictions
    request: PredictionsRequest
    imgsz: int
    cautions: tuple[str, ...] = ()
    """What values on these images can't show."""

    def save(self, folder: Path) -> list[Path]:
        """Write the sweep's files into ``folder``."""
        from hpo.training.measuring.sweep_files import write

        weights = self.request.weights.resolve()
        title = f"{weights.name} on {self.request.data}, split {self.request.split}"
        to = folder.resolve()
        return write(self.result, self.predictions, to, title=title, weights=weights, imgsz=self.imgsz)


def sweep(
    request: PredictionsRequest, plan: SweepPlan, objective: Objective, settings: Settings, show: Show, *, test: bool
) -> Swept:
    """Capture (or load) the predictions and sweep them.

    If the data has a test split, ``test`` also measures the gain there; a sweep of the test split itself has no
    other split to measure. Raises UsageError for an objective that the labels can't answer.
    """
    from hpo.dataset.description import describe
    from hpo.training import environment
    from hpo.training.cache import PredictionCache
    from hpo.training.measuring.predictions import captured

    os.environ.update(environment.kernel_cache(settings.home))

    def predictions(split: str) -> tuple[Predictions, int]:
        wanted = replace(request, split=split)
        return captured(wanted, settings, progress=lambda done, images: show(split, done, images))

    from hpo.detection.sweep import check_labels
    from hpo.detection.sweep import sweep as search

    found, imgsz = predictions(request.split)
    check_labels(objective, found, request.split)
    dataset = describe(request.data, settings.cache, decode=True)
    others = predictions("test")[0] if test and "test" in dataset.splits and request.split != "test" else None
    if others is not None:
        check_labels(replace(objective, constraints=()), others, "test")
    result = search(found, plan, objective, test=others, threads=len(os.sched_getaffinity(0)))
    cautions = wording.cautions(len(found), dataset.in_train) if request.split == "val" else []
    trained = PredictionCache(settings.cache / "predictions").trained_classes(files.digest(request.weights))
    if len(found.names) > 1:
        cautions += wording.untrained(found.names, {int(cls) for cls in found.truth_classes}, trained)
    return Swept(result, found, request, imgsz, tuple(cautions))
