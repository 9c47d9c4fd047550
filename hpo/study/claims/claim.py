"""A claim as a value: one ordinal of a study, and the attempt that owns it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import RowMapping


@dataclass(frozen=True, kw_only=True)
class _Ordinal:
    """The columns that every row of ``hpo_claims`` has."""

    study_id: int
    ordinal: int
    """Position of the proposal, from 0; a retry keeps it."""
    number: int | None
    """Optuna's number of the newest trial; None until a trial was asked for."""
    attempt: int
    """Number of attempts admitted so far."""
    retries: int
    """Number of retries used so far."""
    claimed_at: datetime
    worker_id: int | None
    """Id of the worker's life that owns the token."""
    beat: int
    """Number of heartbeats of the lease so far; it grows while the owner lives."""
    beat_at: datetime | None
    """Time of the last heartbeat, by the database's clock."""

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """Return the claim in a row with these columns."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @property
    def trial_number(self) -> int:
        """Return Optuna's number of the trial. Raises ``ValueError`` before a trial was asked for."""
        if self.number is None:
            raise ValueError(f"study {self.study_id}, ordinal {self.ordinal}: no trial was asked yet")
        return self.number


@dataclass(frozen=True, kw_only=True)
class Claim(_Ordinal):
    """An ordinal that an attempt owns: a row of ``hpo_claims`` with a token."""

    token: str
    """Token of the attempt; every write carries it."""


@dataclass(frozen=True, kw_only=True)
class Unsettled(_Ordinal):
    """An ordinal with a trial that counts and is not told yet, and the facts that say whether its owner is dead.

    It is a row of ``hpo_claims`` that is joined with its trial and its worker.
    """

    token: str | None
    """Token of the owner; None while there is none."""
    state: str | None
    """Optuna's name of the trial's state; None where there is no trial."""
    recorded_at: datetime | None
    """Time when the outcome was recorded; None before."""
    process: str | None
    """Identity of the owner's process; see ``liveness``."""
    worker_ended_at: datetime | None
    """Time when the owner left."""
