"""What a confirmation stage trains: its plan is stored beside its study, and no study file names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Scalar


@dataclass(frozen=True)
class PlannedRun:
    """One training of a confirmation stage: nothing of it is left to a sampler."""

    of: int | None
    """Number of the search's trial that it repeats; None for the baseline."""
    params: tuple[tuple[str, Scalar], ...]
    """The run's values of the space's names."""
    train: tuple[tuple[str, Any], ...]
    """Complete Ultralytics arguments, the fresh seed among them."""
    operating_point: OperatingPoint | None
    """What it is measured at, fixed before; None under ``postprocess: none``."""

    @property
    def baseline(self) -> bool:
        return self.of is None


StagePlan = tuple[PlannedRun, ...]
"""One run an ordinal, in place of a sampler's proposals; empty for a search."""
