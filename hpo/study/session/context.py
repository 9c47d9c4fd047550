"""Values and services that the parts of a worker's session share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
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
"""Called with the name of each point at which a crash can be repaired; tests kill the process there."""


def no_failpoint(_point: str) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class SessionContext:
    storage: Storage
    study: StudyRow
    worker: str
    worker_id: int
    clock: Callable[[], datetime]
    """Returns this machine's time as aware UTC."""
    now: Callable[[], ColumnElement[datetime]]
    """Returns the database's clock, for times that are compared between machines."""
    failpoint: Failpoint
    history: SearchHistory

    def owner(self, token: str) -> Owner:
        return Owner(token, self.worker, self.worker_id, self.clock(), self.now())

    def search(self, sampler: BaseSampler) -> optuna.Study:
        """Return Optuna's study on ``history`` for one proposal.

        A study with a longer life would show its sampler the same trials for ever: it forgets what it read only in
        ``ask`` and ``tell`` (``_get_trials``, Optuna 5.0.0).

        It has no pruner, because under Hyperband Optuna shows samplers the trials of one bracket only: with four
        brackets TPE would sample at random for its first forty trials.
        """
        return self.storage.call_optuna(
            lambda _rdb: optuna.load_study(
                study_name=self.study.name, storage=self.history, sampler=sampler, pruner=NopPruner()
            )
        )

    @cached_property
    def plain(self) -> optuna.Study:
        """Return Optuna's study on ``history`` for calls that ask no sampler."""
        return self.search(RandomSampler())

    def trial_id(self, number: int) -> int:
        return self.storage.call_optuna(
            lambda _rdb: self.history.get_trial_id_from_study_id_trial_number(self.study.id, number)
        )
