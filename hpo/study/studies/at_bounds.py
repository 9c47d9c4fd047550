"""What a stored trial has at a bound of its range."""

from __future__ import annotations

from hpo.study.records import TrialRow
from hpo.studyfile.planning.bounds import chosen_at_bounds
from hpo.studyfile.schema import StudySpec


def at_bounds(spec: StudySpec, row: TrialRow) -> tuple[str, ...]:
    """Return a line for each value, sampled or swept, that lies at a bound; none for a baseline."""
    swept = None if row.sweep is None else row.sweep.best.point
    return () if row.baseline else chosen_at_bounds(spec, row.params, swept)
