"""What the parts of a worker's session share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import optuna
from optuna.pruners import NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from sqlalchemy import ColumnElement

from hpo.study.claims.claims import Owner
from hpo.study.database.storage import Storage
from hpo.study.optuna_internals.history import SearchHistory
from hpo.study.records import StudyRow

Failpoint = Callable[[str], None]
"""Called with the name of each point at which a death is repaired; tests kill the process there."""


def no_failpoint(_point: str) -> None:
    """Nobody dies."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class SessionContext:
    storage: Storage
    study: StudyRow
    worker: str
    worker_id: int
    clock: Callable[[], datetime]
    """Aware UTC, of this machine."""
    now: Callable[[], ColumnElement[datetime]]
    """The database's clock, for whatever is compared between machines."""
    failpoint: Failpoint
    history: SearchHistory

    def owner(self, token: str) -> Owner:
        return Owner(token, self.worker, self.worker_id, self.clock(), self.now())

    def search(self, sampler: BaseSampler) -> optuna.Study:
        """Optuna's study on ``history`` for one proposal. One that lives on would show its sampler the same trials for
        ever: it forgets what it read in ``ask`` and ``tell`` alone (``_get_trials``, Optuna 5.0.0).

        Without a pruner, because under Hyperband Optuna shows samplers the trials of one bracket alone: with four
        brackets TPE would stay at random for its first forty trials.
        """
        return self.storage.call_optuna(
            lambda _rdb: optuna.load_study(
                study_name=self.study.name, storage=self.history, sampler=sampler, pruner=NopPruner()
            )
        )

    @cached_property
    def plain(self) -> optuna.Study:
        """Optuna's study on ``history`` where no sampler is asked."""
        return self.search(RandomSampler())

    def trial_id(self, number: int) -> int:
        return self.storage.call_optuna(
            lambda _rdb: self.history.get_trial_id_from_study_id_trial_number(self.study.id, number)
        )
