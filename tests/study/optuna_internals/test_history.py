"""Trials that samplers and pruners see: Optuna's trials without uninformative ones, always up to date."""

from __future__ import annotations

import random

import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from hpo.study.database.storage import Storage
from hpo.study.optuna_internals.attributes import OUTSIDE
from hpo.study.optuna_internals.history import SearchHistory
from tests.study.support import MakeStudy, study_spec

STATES = [None, (TrialState.COMPLETE,), (TrialState.COMPLETE, TrialState.PRUNED), (TrialState.RUNNING,)]


@pytest.mark.parametrize("seed", range(3))
def test_lists_are_those_of_the_database_however_trials_come_and_end(
    storage: Storage, make_study: MakeStudy, seed: int
) -> None:
    study = make_study(study_spec(trials=3))
    rng, history, rdb = random.Random(seed), SearchHistory(storage), storage.optuna
    open_ones: list[int] = []
    for _ in range(25):
        if open_ones and rng.random() < 0.5:
            ended = open_ones.pop(rng.randrange(len(open_ones)))
            state = rng.choice([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
            rdb.set_trial_state_values(ended, state, [0.5] if state == TrialState.COMPLETE else None)
        else:
            template = create_trial(state=TrialState.RUNNING, user_attrs={OUTSIDE: True} if rng.random() < 0.2 else {})
            maker = history if rng.random() < 0.5 else rdb
            open_ones.append(maker.create_new_trial(study.id, template))
        history.outdated()
        for states in STATES:
            wanted = [
                trial
                for trial in rdb.get_all_trials(study.id, states=states)
                if trial.state != TrialState.FAIL and OUTSIDE not in trial.user_attrs
            ]
            assert history.get_all_trials(study.id, states=states) == wanted


def test_what_is_shown_is_the_callers_to_change(storage: Storage, make_study: MakeStudy) -> None:
    study, history = make_study(study_spec(trials=3)), SearchHistory(storage)
    history.create_new_trial(study.id)
    history.get_all_trials(study.id, deepcopy=False).clear()
    history.get_all_trials(study.id)[0].user_attrs["mine"] = 1
    assert [trial.user_attrs for trial in history.get_all_trials(study.id)] == [{}]


def test_a_sampler_goes_on_from_the_space_that_the_last_one_found(storage: Storage) -> None:
    history = SearchHistory(storage)
    first, second = (history.with_known_space(TPESampler()) for _ in range(2))
    assert getattr(first, "_search_space") is getattr(second, "_search_space")  # noqa: B009  (it has none in its class)
