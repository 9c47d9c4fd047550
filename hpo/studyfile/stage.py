"""The plan of a confirmation stage. It is stored beside its study, and no study file names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class PlannedRun:
    """One training of a confirmation stage: no sampler chooses anything in it."""

    of: int | None
    """Number of the search's trial that it repeats; None for the baseline."""
    params: tuple[tuple[str, Scalar], ...]
    """The run's values of the space's names."""
    train: tuple[tuple[str, Any], ...]
    """Complete Ultralytics arguments, the fresh seed among them."""
    operating_point: OperatingPoint | None
    """The setting that it is measured at, fixed before; None under ``postprocess: none``."""

    @property
    def baseline(self) -> bool:
        return self.of is None


StagePlan = tuple[PlannedRun, ...]
"""One run for each ordinal, in place of a sampler's proposals; empty for a search."""
