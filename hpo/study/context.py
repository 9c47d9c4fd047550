"""What the parts of a worker's session share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import optuna
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler

from hpo.study.history import SearchHistory
from hpo.study.records import StudyRow
from hpo.study.storage import Storage

Failpoint = Callable[[str], None]
"""Called with the name of each point at which a death is repaired; tests kill the process there."""


@dataclass(frozen=True)
class Context:
    storage: Storage
    study: StudyRow
    worker: str
    clock: Callable[[], datetime]
    """Aware UTC."""
    failpoint: Failpoint
    history: SearchHistory
    search: optuna.Study
    """On ``history``. Without a pruner, because under Hyperband Optuna shows samplers the trials of one bracket alone:
    with four brackets TPE would stay at random for its first forty trials."""

    def trial_id(self, number: int) -> int:
        return self.storage.call_optuna(
            lambda _rdb: self.history.get_trial_id_from_study_id_trial_number(self.study.id, number)
        )


def open_context(
    storage: Storage, study: StudyRow, worker: str, clock: Callable[[], datetime], failpoint: Failpoint
) -> Context:
    history = SearchHistory(storage.optuna)
    search = storage.call_optuna(
        lambda _rdb: optuna.load_study(
            study_name=study.name, storage=history, sampler=RandomSampler(), pruner=NopPruner()
        )
    )
    return Context(storage, study, worker, clock, failpoint, history, search)
