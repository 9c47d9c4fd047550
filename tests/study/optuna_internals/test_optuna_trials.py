"""Plain statements read and make the same rows as Optuna's own storage."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.study.database.storage import Storage
from hpo.study.optuna_internals import optuna_trials
from hpo.study.records import StudyRow
from tests.study.support import MakeStudy, study_spec

DISTRIBUTIONS = {
    "lr0": FloatDistribution(1e-5, 1e-1, log=True),
    "epochs": IntDistribution(10, 100, step=10),
    "optimizer": CategoricalDistribution(["SGD", None, 3]),
}
PARAMS: dict[str, Any] = {"lr0": 1e-3, "epochs": 30, "optimizer": None}


def _kinds() -> list[FrozenTrial]:
    drawn: dict[str, Any] = {"params": PARAMS, "distributions": DISTRIBUTIONS}
    noted: dict[str, Any] = {"user_attrs": {"ordinal": 3, "who": "ü"}, "system_attrs": {"completed_rung_0": 0.25}}
    curve = {1: 0.1, 2: math.inf, 3: -math.inf, 10: 0.3}
    return [
        create_trial(state=TrialState.COMPLETE, value=0.5, **drawn, **noted, intermediate_values=curve),
        create_trial(state=TrialState.COMPLETE, value=math.inf),
        create_trial(state=TrialState.PRUNED, value=0.25, **drawn, intermediate_values=curve),
        create_trial(state=TrialState.PRUNED),
        create_trial(state=TrialState.FAIL, **drawn),
        create_trial(state=TrialState.RUNNING, **noted),
        create_trial(state=TrialState.WAITING, **drawn, **noted, intermediate_values=curve),
    ]


@pytest.fixture
def study(storage: Storage, make_study: MakeStudy) -> StudyRow:
    made = make_study(study_spec(trials=3))
    optuna.load_study(study_name=made.name, storage=storage.optuna).add_trials(_kinds())
    return made


def _read(storage: Storage, study: StudyRow, after: int = -1, ids: tuple[int, ...] = ()) -> dict[int, FrozenTrial]:
    return storage.read(lambda connection: optuna_trials.read(connection, study.id, after, ids))


@pytest.mark.parametrize("batch", [2, 500])
def test_every_kind_of_trial_is_read_as_optuna_reads_it(
    storage: Storage, study: StudyRow, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_trials, "_A_BATCH", batch)
    wanted = storage.optuna.get_all_trials(study.id)
    for trial in wanted:
        if not trial.state.is_finished():
            trial.intermediate_values = {}  # nobody looks at them until it has ended
    assert sum(len(trial.intermediate_values) for trial in wanted) == 8
    assert list(_read(storage, study).values()) == wanted


def test_new_ones_and_those_asked_for_are_read_and_none_of_another_study(
    storage: Storage, study: StudyRow, make_study: MakeStudy
) -> None:
    other = make_study(study_spec("other", trials=3))
    optuna.load_study(study_name="other", storage=storage.optuna).add_trials(_kinds())
    ids = list(_read(storage, study))
    assert list(_read(storage, study, ids[3], (ids[1],))) == [ids[1], *ids[4:]]
    assert _read(storage, study, ids[-1]) == {}
    assert not set(ids) & set(_read(storage, other))


def test_nan_is_read_as_nan(storage: Storage, study: StudyRow) -> None:
    trial_id = list(_read(storage, study))[5]
    storage.optuna.set_trial_intermediate_value(trial_id, 1, math.nan)
    storage.optuna.set_trial_state_values(trial_id, TrialState.PRUNED)
    assert math.isnan(_read(storage, study)[trial_id].intermediate_values[1])


@pytest.mark.parametrize("wanted", _kinds()[-2:], ids=lambda trial: trial.state.name)
def test_a_trial_is_made_as_optuna_makes_it(storage: Storage, study: StudyRow, wanted: FrozenTrial) -> None:
    trial_id, made = storage.write(lambda connection: optuna_trials.insert(connection, study.id, wanted))
    theirs = storage.optuna.get_trial(storage.optuna.create_new_trial(study.id, wanted))
    ours = storage.optuna.get_trial(trial_id)
    assert ours == made
    assert (ours.number, theirs.number) == (7, 8)
    assert _compared(ours) == _compared(theirs)


def _compared(trial: FrozenTrial) -> list[tuple[str, Any]]:
    apart = ("_number", "_trial_id")
    return sorted((name, value) for name, value in vars(trial).items() if name not in apart)


def test_the_first_trial_has_number_0_and_none_is_given_twice(storage: Storage, make_study: MakeStudy) -> None:
    empty = make_study(study_spec(trials=3))
    template = create_trial(state=TrialState.RUNNING)
    made = [storage.write(lambda connection: optuna_trials.insert(connection, empty.id, template))[1] for _ in range(3)]
    assert [trial.number for trial in made] == [0, 1, 2]
    assert all(isinstance(trial.datetime_start, datetime) for trial in made)
