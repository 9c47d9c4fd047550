"""The input and output of the process that draws a study's plots; without Optuna, which a worker loads late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpo.study.records import TrialRow
from hpo.studyfile.schema import StudySpec
from hpo.trial.vocabulary import TrialState

LEAST_COMPLETE = 5
"""Number of complete trials below which no plot is useful."""
PAGE, IMPORTANCES = "optuna.html", "importances.json"


@dataclass(frozen=True)
class Drawing:
    """The data of the plots: small, and without access to the database."""

    spec: StudySpec
    trials: tuple[TrialRow, ...]

    @staticmethod
    def of(spec: StudySpec, trials: Sequence[TrialRow]) -> Drawing | None:
        """Make a drawing; None where too few trials are complete."""
        if sum(row.state is TrialState.COMPLETE for row in trials) < LEAST_COMPLETE:
            return None
        bare = [replace(row, train={}, attempts=(), sweep=None, metrics={}) for row in trials if row.started]
        return Drawing(spec, tuple(bare))
