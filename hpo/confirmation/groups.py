"""The stage's runs as groups of equal configurations, and the candidate that won on val."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import HpoError
from hpo.study.records import StudyRow, TrialRow
from hpo.trial.vocabulary import TrialState

Run = tuple[TrialRow, Path]
"""A complete run and its weights."""


@dataclass(frozen=True)
class Groups:
    baseline: list[Run]
    candidates: list[list[Run]]
    numbers: list[int]
    """Numbers of the search's trials that the candidates repeat."""
    means: list[float]
    """Mean of each candidate's values on val."""
    left_out: dict[str, str]
    """Number of a candidate that has no value for one of its seeds -> the reason."""

    @property
    def winner(self) -> int:
        """Return the index of the candidate with the largest mean on val; among equal ones, the one that the search
        ranked first.
        """
        return max(range(len(self.means)), key=lambda index: (self.means[index], -index))


def grouped(stage: StudyRow, rows: list[TrialRow], weights: Callable[[TrialRow], Path]) -> Groups:
    """Group the runs of a finished stage. A configuration that failed with one of its seeds is not confirmed.

    ``weights`` returns the weights of a complete run. Raises ``HpoError`` if the baseline or every candidate failed,
    and any error of ``weights``.
    """
    ends = {row.ordinal: row for row in rows if row.counts}
    by_trial: dict[int | None, list[TrialRow]] = {}
    for ordinal, run in enumerate(stage.plan):
        by_trial.setdefault(run.of, []).append(ends[ordinal])
    failed = {number: _failure(group) for number, group in by_trial.items()}
    if failed[None]:
        raise HpoError(
            f"the baseline can't be compared with: {failed[None]}. See: hpo trials {stage.name}; "
            f"to begin anew: hpo delete {stage.name}"
        )
    numbers = [number for number in by_trial if number is not None and not failed[number]]
    if not numbers:
        said = "; ".join(f"trial {number}: {why}" for number, why in failed.items() if why)
        raise HpoError(f"no candidate can be confirmed: {said}. See: hpo trials {stage.name}")
    return Groups(
        baseline=[(row, weights(row)) for row in by_trial[None]],
        candidates=[[(row, weights(row)) for row in by_trial[number]] for number in numbers],
        numbers=numbers,
        means=[math.fsum(row.value or 0.0 for row in by_trial[number]) / len(by_trial[number]) for number in numbers],
        left_out={str(number): why for number, why in failed.items() if number is not None and why},
    )


def _failure(group: list[TrialRow]) -> str:
    """Return the reason why a configuration lacks a value for one of its seeds; empty if it lacks none."""
    bad = [row for row in group if row.state is not TrialState.COMPLETE or row.value is None]
    return f"{len(bad)} of {len(group)} runs came to nothing (run {bad[0].number}: {bad[0].reason})" if bad else ""
