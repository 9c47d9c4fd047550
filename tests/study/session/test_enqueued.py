"""Trials that a person enqueues with Optuna's own call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest

from hpo.study.database.storage import Storage
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import invariants
from tests.study.support import MakeStudy, run, study_spec


def enqueue(storage: Storage, *params: dict[str, object]) -> None:
    study = optuna.load_study(study_name="digits", storage=storage.optuna)
    for each in params:
        study.enqueue_trial(each)


def test_an_enqueued_trial_is_the_next_ordinal_and_the_sampler_completes_it(
    storage: Storage, make_study: MakeStudy
) -> None:
    row = make_study(study_spec(trials=3, sampler="tpe"))
    with WorkerSession(storage, row, "w", None) as session:
        enqueue(storage, {"lr0": 0.0123}, {"lr0": 0.0456, "batch": 4}, {"lr0": 0.02}, {"lr0": 0.03})
        proposals = run(session)
    assert [proposal.params["lr0"] for proposal in proposals] == [0.0123, 0.0456, 0.02]
    assert set(proposals[0].params) == {"lr0", "mosaic", "batch"}
    assert [proposal.ordinal for proposal in proposals] == [0, 1, 2]
    states = [trial.state.name for trial in invariants.optuna_trials(storage, row).values()]
    assert states == ["COMPLETE"] * 3 + ["WAITING"]


@pytest.mark.parametrize(("params", "told"), [({"lr0": 99.0}, "lr0=99.0: outside"), ({"speed": 1}, "speed: not in")])
def test_values_that_the_space_lacks_fail_with_the_reason(
    storage: Storage, make_study: MakeStudy, params: dict[str, object], told: str
) -> None:
    row = make_study(study_spec(trials=2))
    with WorkerSession(storage, row, "w", None) as session:
        enqueue(storage, params)
        assert len(run(session)) == 1
    failed = snapshot.trials(storage, row)[0]
    assert (failed.state, failed.reason, failed.counts) == (TrialState.FAIL, Reason.DATA, True)
    assert told in failed.detail
    assert told in invariants.optuna_trials(storage, row)[0].user_attrs["detail"]
    invariants.check_end(storage, row)


def test_of_workers_that_race_exactly_one_takes_it(storage: Storage, make_study: MakeStudy) -> None:
    row = make_study(study_spec(trials=8))
    enqueue(storage, {"lr0": 0.0123}, {"lr0": 99.0})
    sessions = [WorkerSession(storage, row, f"w{number}", None) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = [each for each in pool.map(lambda session: session.admit(), sessions) if each is not None]
    assert [each.params["lr0"] for each in found].count(0.0123) == 1
    assert len({each.ordinal for each in found}) == len(found) == 4
    invariants.check(storage, row)
