"""What the API returns: frozen values with the fields that ``--json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.api.reading import Winner
    from hpo.confirmation.record import Stage
    from hpo.study.records import TrialRow
    from hpo.study.status import StatusRow


@dataclass(frozen=True)
class Trial:
    """A trial, with the fields of ``hpo trials --json``."""

    number: int
    """From 0; trial 0 is the baseline where the study has one."""
    state: str
    """``WAITING``, ``RUNNING``, ``COMPLETE``, ``PRUNED`` or ``FAIL``."""
    value: float | None
    """The study's objective, larger is better; None where it was never measured."""
    params: dict[str, Any]
    """What the sampler chose, by the names of the space."""
    metrics: dict[str, float | None]
    """``map50``, ``map50_95``, ``precision``, ``recall`` and ``f1`` on the validation split, each from 0 to 1."""
    reason: str | None
    """Why it ended, such as ``complete``, ``pruned`` or ``oom``; None while it has not."""
    epochs: int
    """Epochs that it was trained."""
    worker: str | None
    """``machine:process`` of its newest attempt."""
    started: datetime | None
    """UTC."""
    finished: datetime | None
    """UTC."""
    duration_s: float | None
    """Seconds in attempts of this trial, summed."""
    mlflow_run_id: str | None
    operating_point: dict[str, Any] | None
    """Confidence and suppression that value and metrics hold at, where they are sampled or swept."""
    sweep: dict[str, Any] | None
    """What a sweep of confidence and suppression has found, under ``postprocess: swept``."""

    @classmethod
    def of(cls, row: TrialRow) -> Trial:
        """Make the public value of a stored trial.

        Args:
            row: The stored trial.

        Returns:
            The value.
        """
        from hpo.api.documents import trial_json

        return cls(**trial_json(row))

    def to_dict(self) -> dict[str, Any]:
        """Give the fields by name, as ``hpo trials --json`` lists them.

        Returns:
            A new dict; times stay ``datetime``.
        """
        return dict(vars(self))


@dataclass(frozen=True)
class Best:
    """The best trial of a study, with the fields of ``hpo best --json``."""

    number: int
    value: float | None
    """The study's objective, larger is better."""
    params: dict[str, Any]
    """What the sampler chose; of the baseline what it was trained with, where the space names it."""
    metrics: dict[str, float | None]
    operating_point: dict[str, Any] | None
    sweep: dict[str, Any] | None
    confirm: dict[str, Any] | None
    """Where the confirmation stands, and its verdict; None before it has begun."""
    weights: Path | None
    """best.pt; None where it is on another machine or no longer kept."""
    hyperparameters: Path | None
    """A file for ``yolo train cfg=...``; only after ``Study.save``."""
    predict: Path | None
    """A file for ``yolo predict cfg=...``; only after ``Study.save``."""
    operating_point_file: Path | None
    """All that the sweep has found, as JSON; only after ``Study.save`` of a swept trial."""

    @classmethod
    def of(cls, winner: Winner) -> Best:
        """Make the public value of a best trial.

        Args:
            winner: The trial, with its confirmation and its files.

        Returns:
            The value.
        """
        from hpo.api.documents import best_json

        facts = best_json(winner.row, winner.stage, winner.files, winner.weights)
        return cls(**facts | {name: facts[name] and Path(facts[name]) for name in _PATHS})

    def to_dict(self) -> dict[str, Any]:
        """Give the documented JSON form.

        Returns:
            What ``hpo best --json`` prints; paths are texts.
        """
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}


_PATHS = ("weights", "hyperparameters", "predict", "operating_point_file")


@dataclass(frozen=True)
class Status:
    """Where a study stands, with the fields of ``hpo status --json``."""

    study: str
    """The study's name."""
    state: str
    """``empty``, ``running``, ``paused``, ``stopped``, ``cancelled``, ``waiting`` (nobody works on it) or
    ``finished``."""
    budget: dict[str, Any]
    """``trials``, ``hours`` (or None), ``counted``, ``issued`` and ``hours_used``."""
    counts: dict[str, int]
    """Trials by state: ``waiting``, ``running``, ``complete``, ``pruned``, ``fail``."""
    best: dict[str, Any] | None
    """The best trial so far, as ``hpo trials --json`` lists it."""
    workers: list[dict[str, Any]]
    """Workers that live, and what each of their slots does."""
    control: str
    """``run``, ``pause``, ``stop`` or ``cancel``: what a person wants of the study."""
    control_reason: str
    """Why the study paused itself."""
    device_hours: float
    """Hours in attempts, summed over all slots."""
    wasted_hours: dict[str, float]
    """The part of the device hours in attempts that came to nothing, by reason."""
    left_s: float | None
    """Expected seconds to the end of the budget; None where nothing tells."""
    confirm: dict[str, Any] | None
    """Where the confirmation stands, and its verdict; None before it has begun."""

    @classmethod
    def of(cls, row: StatusRow, stage: Stage | None) -> Status:
        """Make the public value of a study's status.

        Args:
            row: Where the study stands.
            stage: Its confirmation, where one has begun.

        Returns:
            The value.
        """
        from hpo.api.documents import status_json

        return cls(**status_json(row, stage))

    def to_dict(self) -> dict[str, Any]:
        """Give the fields by name, as ``hpo status --json`` prints them.

        Returns:
            A new dict; times stay ``datetime``.
        """
        return dict(vars(self))
