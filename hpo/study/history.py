"""What samplers and pruners see of a study, and the attributes that trials carry in Optuna."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Container

from optuna._typing import JSONSerializable
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

ORDINAL = "ordinal"
BASELINE = "baseline"
OUTSIDE = "outside_space"
"""Set on a baseline that the space can't hold: an ordinary trial for people, none for samplers."""
Params = list[tuple[str, float, BaseDistribution]]
"""Name, Optuna's internal value and distribution of each."""
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
        self._own: dict[int, FrozenTrial] = {}
        """Trials of this session: nobody else writes to them, so that they need not be read again."""
        self._params: dict[int, Params] = {}

    def own(self, trial_id: int) -> FrozenTrial:
        """A trial of this session, as it stands."""
        if trial_id not in self._own:
            self._own[trial_id] = super().get_trial(trial_id)
        return self._own[trial_id]

    def forget(self, trial_id: int) -> None:
        """It is this session's no more."""
        self._own.pop(trial_id, None)
        self._params.pop(trial_id, None)

    def take_params(self, trial_id: int) -> Params:
        """What was suggested for a trial, to be written when the trial is adopted."""
        return self._params.pop(trial_id, [])

    @override
    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trial_id = super().create_new_trial(study_id, template_trial)
        number = self._trial_id_to_study_id_and_number[trial_id][1]
        self._own[trial_id] = copy.deepcopy(self._studies[study_id].trials[number])
        return trial_id

    @override
    def get_trial(self, trial_id: int) -> FrozenTrial:
        return copy.deepcopy(self._own[trial_id]) if trial_id in self._own else super().get_trial(trial_id)

    @override
    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Kept until the trial is adopted: one transaction instead of one a value."""
        self._params.setdefault(trial_id, []).append((param_name, param_value_internal, distribution))

    @override
    def set_trial_system_attr(self, trial_id: int, key: str, value: JSONSerializable) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        if trial_id in self._own:
            self._own[trial_id].system_attrs[key] = value

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
        return [
            _without_void(trial)
            for trial in found
            if trial.state != TrialState.FAIL and OUTSIDE not in trial.user_attrs
        ]


def _without_void(trial: FrozenTrial) -> FrozenTrial:
    """Less what a resumed attempt took back (``optuna_rows.void_after``): TPE ranks a pruned trial by its last step,
    whatever stands there.
    """
    values = trial.intermediate_values
    if not any(map(math.isnan, values.values())):
        return trial
    usable = copy.copy(trial)  # the original is the cache's own
    usable.intermediate_values = {step: value for step, value in values.items() if not math.isnan(value)}
    return usable
