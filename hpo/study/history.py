"""What samplers and pruners see of a study, and the attributes that trials carry in Optuna."""

from __future__ import annotations

import time
from collections.abc import Container

from optuna.storages import RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

ORDINAL = "ordinal"
BASELINE = "baseline"
OUTSIDE = "outside_space"
"""Set on a baseline that the space can't hold: an ordinary trial for people, none for samplers."""
CLAIM = "claim"
"""Token of the claim for which the trial was asked."""
RETRY_OF = "retry_of"
REASON = "reason"
REFRESH_S = 1.0
"""For so long a pruner may see other workers' trials as they were."""


def ordinal_of(trial: FrozenTrial) -> int:
    """Position of the proposal; the trial number where another tool made the trial."""
    return int(trial.user_attrs.get(ORDINAL, trial.number))


class SearchHistory(_CachedStorage):
    """Optuna's cached view of the database less the trials that must teach samplers and pruners nothing.

    A failed trial has a retry with the same values and intermediate results, or taught nothing; a baseline outside the
    space would be a false observation. ``Study`` wraps a plain ``RDBStorage`` and takes this one as it is
    (``optuna.storages.get_storage``, 5.0.0).
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._fresh_until = float("-inf")

    def outdated(self) -> None:
        """What is asked next is read from the database."""
        self._fresh_until = float("-inf")

    @override
    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """At most once in ``REFRESH_S``: at every epoch of every trial it would cost more than all the rest."""
        now = time.monotonic()
        if now >= self._fresh_until:
            super()._read_trials_from_remote_storage(study_id)
            self._fresh_until = now + REFRESH_S

    @override
    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        found = super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in found if trial.state != TrialState.FAIL and OUTSIDE not in trial.user_attrs]
