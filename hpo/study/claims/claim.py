"""A claim as a value: one ordinal of a study, and the attempt that owns it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping


@dataclass(frozen=True, kw_only=True)
class _Ordinal:
    """What every row of ``hpo_claims`` says."""

    study_id: int
    ordinal: int
    """Position of the proposal, from 0; a retry keeps it."""
    number: int | None
    """Optuna's number of the newest trial; None until one was asked."""
    attempt: int
    """Attempts admitted so far."""
    retries: int
    """Retries used so far."""
    claimed_at: datetime
    worker_id: int | None
    """Life of the worker that owns the token."""
    beat: int
    """Beats of the lease so far; it grows while its owner lives."""
    beat_at: datetime | None
    """Time of the last beat, by the database's clock."""

    @property
    def trial_number(self) -> int:
        """Optuna's number where a trial was asked. Raises ``ValueError`` before that."""
        if self.number is None:
            raise ValueError(f"study {self.study_id}, ordinal {self.ordinal}: no trial was asked yet")
        return self.number


@dataclass(frozen=True, kw_only=True)
class Claim(_Ordinal):
    """An ordinal that an attempt owns."""

    token: str
    """The attempt's; every write carries it."""


@dataclass(frozen=True, kw_only=True)
class Unsettled(_Ordinal):
    """An ordinal whose counting trial is not told yet, with what says whether its owner is dead."""

    token: str | None
    """None while nobody owns it."""
    state: str | None
    """Optuna's name of the trial's state; None where there is no trial."""
    recorded_at: datetime | None
    """When the outcome was recorded; None before."""
    process: str | None
    """The owner's process; see ``liveness``."""
    worker_ended_at: datetime | None
    """When the owner left."""


def claim_of(row: RowMapping) -> Claim:
    """The claim that a row of ``hpo_claims`` holds; it has a token."""
    return Claim(**{name: row[name] for name in Claim.__dataclass_fields__})


def unsettled_of(row: RowMapping) -> Unsettled:
    """The claim that a row of ``hpo_claims`` holds, joined with its trial and its worker."""
    return Unsettled(**{name: row[name] for name in Unsettled.__dataclass_fields__})
