"""The trials of a study, as samplers and pruners see them."""

from __future__ import annotations

import copy
import math
import time
from bisect import bisect_left
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial, TrialState, create_trial
from typing_extensions import override

from hpo.study.database.storage import Storage
from hpo.study.optuna_internals import optuna_trials
from hpo.study.optuna_internals.attributes import CLAIM, OUTSIDE
from hpo.study.optuna_internals.ended_trials import EndedTrials
from hpo.study.optuna_internals.needs import require, required

with required():
    from optuna._typing import JSONSerializable
    from optuna.storages._cached_storage import _CachedStorage, _StudyInfo

    NEEDS = {
        _CachedStorage: (
            "_add_trials_to_cache",
            "_lock",
            "_read_trials_from_remote_storage",
            "_studies",
            "_trial_id_to_study_id_and_number",
        ),
        _StudyInfo: ("last_finished_trial_id", "trials", "unfinished_trial_ids"),
        FrozenTrial: ("_trial_id",),
    }
    require(NEEDS)


_SHOWN = [state for state in TrialState if state != TrialState.FAIL]
REFRESH_S = 1.0
"""Seconds for which a pruner may see other workers' trials as they were."""


@dataclass
class Drawn:
    """The values that a sampler gave to a trial."""

    params: list[tuple[str, float, BaseDistribution]] = field(default_factory=list)
    """Name, Optuna's internal value and distribution of each parameter."""
    attributes: dict[str, JSONSerializable] = field(default_factory=dict)
    """The sampler's system attributes."""


class SearchHistory(_CachedStorage):
    """Optuna's cached view of the database, without the trials that must not teach samplers and pruners anything.

    A failed trial has a retry with the same values and intermediate results, or it has nothing to teach. A baseline
    outside the space would be a false observation. ``Study`` wraps a plain ``RDBStorage`` and takes this class as it is
    (``optuna.storages.get_storage``, 5.0.0).
    """

    def __init__(
        self, storage: Storage, earlier: Mapping[int, list[FrozenTrial]] = MappingProxyType({}), *, notes: bool = True
    ) -> None:
        """Start with an empty view.

        ``earlier``: trials of other studies, by the id of the study that learns from them; each is numbered -1.
        ``notes``: whether other workers must see what a pruner notes on running trials.
        """
        super().__init__(storage.optuna)
        self._storage = storage
        self._notes = notes
        self._earlier = earlier
        self._ids: dict[str, int] = {}
        """Ids of studies, by name."""
        self._lists: dict[tuple[int, frozenset[TrialState]], list[FrozenTrial]] = {}
        """Lists that ``get_all_trials`` returns for a study, by states."""
        self.ended = EndedTrials()
        """Columns that TPE keeps from one proposal to the next."""
        self._spaces: dict[type[BaseSampler], IntersectionSearchSpace] = {}
        self._fresh_until = float("-inf")
        self._own: dict[int, FrozenTrial] = {}
        """Trials of this session. No other worker writes to them, so they need not be read again."""
        self._drawn: dict[int, Drawn] = {}
        """Values drawn for trials that are not adopted yet."""

    def own(self, trial_id: int) -> FrozenTrial:
        """Return a trial of this session in its current state."""
        if trial_id not in self._own:
            self._own[trial_id] = super().get_trial(trial_id)
        return self._own[trial_id]

    def forget(self, trial_id: int) -> None:
        """Forget a trial that no longer belongs to this session."""
        self._own.pop(trial_id, None)
        self._drawn.pop(trial_id, None)

    def borrow(self, trial_id: int) -> None:
        """Keep what is drawn for a trial that another tool made, until the trial is adopted."""
        self.own(trial_id)
        self._drawn[trial_id] = Drawn()

    def take_drawn(self, trial_id: int) -> Drawn:
        """Return what was drawn for a trial, to be written when the trial is adopted."""
        return self._drawn.pop(trial_id, Drawn())

    @override
    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        template = template_trial or create_trial(state=TrialState.RUNNING)
        trial_id, made = self._storage.write(lambda connection: optuna_trials.insert(connection, study_id, template))
        with self._lock:
            self._studies.setdefault(study_id, _StudyInfo())
            self._remember(study_id, [made])
        self._own[trial_id] = copy.deepcopy(made)
        self._drawn[trial_id] = Drawn()
        return trial_id

    @override
    def get_study_id_from_name(self, study_name: str) -> int:
        if study_name not in self._ids:
            self._ids[study_name] = super().get_study_id_from_name(study_name)
        return self._ids[study_name]

    @override
    def get_trial(self, trial_id: int) -> FrozenTrial:
        return copy.deepcopy(self._own[trial_id]) if trial_id in self._own else super().get_trial(trial_id)

    @override
    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep the value until the trial is adopted: one transaction instead of one for each value."""
        self._drawn[trial_id].params.append((param_name, param_value_internal, distribution))

    @override
    def set_trial_system_attr(self, trial_id: int, key: str, value: JSONSerializable) -> None:
        if trial_id in self._drawn:
            self._drawn[trial_id].attributes[key] = value
        else:
            super().set_trial_system_attr(trial_id, key, value)
        if trial_id in self._own:
            self._own[trial_id].system_attrs[key] = value

    def outdated(self) -> None:
        """Read from the database at the next query."""
        self._fresh_until = float("-inf")

    @override
    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """Read at most once in ``REFRESH_S`` seconds: a read at every epoch would cost more than all the rest."""
        now = time.monotonic()
        with self._lock:
            if now < self._fresh_until:
                return
            study = self._studies.setdefault(study_id, _StudyInfo())
            after, open_ones = study.last_finished_trial_id, study.unfinished_trial_ids
            known = self._settled(study_id)
            changed = self._storage.read(
                lambda connection: optuna_trials.read(connection, study_id, after, open_ones, known)
            )
            for trial in changed.values():
                _drop_void(trial)
            self._remember(study_id, list(changed.values()))
            ended = {trial_id for trial_id, trial in changed.items() if trial.state.is_finished()}
            study.unfinished_trial_ids = (open_ones | changed.keys()) - ended
            study.last_finished_trial_id = max(ended | {after})
            self._fresh_until = now + REFRESH_S

    def _settled(self, study_id: int) -> set[int]:
        """Return the running trials that change nothing until they end: their values are written and known."""
        if self._notes:
            return set()
        study = self._studies[study_id]
        trials = (study.trials[self._trial_id_to_study_id_and_number[each][1]] for each in study.unfinished_trial_ids)
        return {
            trial._trial_id  # noqa: SLF001  (it has no public name)
            for trial in trials
            if trial.state == TrialState.RUNNING and trial.params and CLAIM in trial.user_attrs
        }

    def _remember(self, study_id: int, trials: list[FrozenTrial]) -> None:
        self._add_trials_to_cache(study_id, trials)
        for (of_study, shown), found in self._lists.items():
            for trial in trials if of_study == study_id else ():
                _put(found, trial, is_in=_is_shown(trial, shown))

    @override
    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials in the order of their numbers, as some samplers expect."""
        self._read_trials_from_remote_storage(study_id)
        shown = frozenset(state for state in _SHOWN if states is None or state in states)
        with self._lock:
            if (study_id, shown) not in self._lists:
                own = [trial for _, trial in sorted(self._studies[study_id].trials.items())]
                known = [*self._earlier.get(study_id, ()), *own]
                self._lists[study_id, shown] = [trial for trial in known if _is_shown(trial, shown)]
            found = list(self._lists[study_id, shown])
        return copy.deepcopy(found) if deepcopy else found

    def with_known_space(self, sampler: BaseSampler) -> BaseSampler:
        """Hand the search space of the last sampler on to a fresh one.

        A fresh sampler would search all trials for their common parameters; this one continues where the last one
        ended.
        """
        fresh = getattr(sampler, "_search_space", None)  # Optuna 5.0.0: TPE and CMA-ES have it
        if isinstance(fresh, IntersectionSearchSpace):
            setattr(sampler, "_search_space", self._spaces.setdefault(type(sampler), fresh))  # noqa: B010  (it has none)
        return sampler


def _is_shown(trial: FrozenTrial, states: frozenset[TrialState]) -> bool:
    return trial.state in states and OUTSIDE not in trial.user_attrs


def _put(trials: list[FrozenTrial], trial: FrozenTrial, *, is_in: bool) -> None:
    """Replace, add or remove one of ``trials``, which are in the order of their numbers."""
    place = bisect_left(trials, trial.number, key=lambda other: other.number)
    there = place < len(trials) and trials[place].number == trial.number
    trials[place : place + there] = [trial] if is_in else []


def _drop_void(trial: FrozenTrial) -> None:
    """Remove the reports that a resumed attempt withdrew (``optuna_rows.void_after``).

    TPE ranks a pruned trial by its last step, even if the value there is NaN.
    """
    values = trial.intermediate_values
    trial.intermediate_values = {step: value for step, value in values.items() if not math.isnan(value)}
