"""Ends of attempts: recorded, retried, or given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.errors import ClaimLost, StorageUnavailable
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import invariants
from tests.study.support import (
    MakeStudy,
    admit,
    begin,
    ended,
    epoch_report,
    run,
    study_spec,
)


@pytest.mark.parametrize("reason", [Reason.KILLED, Reason.HUNG, Reason.CRASH, Reason.HOST_OOM, Reason.DISK])
def test_a_death_is_tried_again_until_the_retries_are_spent(
    storage: Storage, make_study: MakeStudy, reason: Reason
) -> None:
    study = make_study(study_spec(trials=1, retries=2))
    with WorkerSession(storage, study, "w", None) as session:
        deaths = []
        while (proposal := session.admit()) is not None:
            begin(session, proposal)
            deaths.append((proposal.ordinal, proposal.attempt, proposal.retries_left))
            session.end(proposal.token, ended(reason, epochs=0))
        assert deaths == [(0, 1, 2), (0, 2, 1), (0, 3, 0)]
    rows = snapshot.trials(storage, study)
    assert [(row.state, row.counts) for row in rows] == [(TrialState.FAIL, False)] * 2 + [(TrialState.FAIL, True)]
    invariants.check_end(storage, study)


def test_bad_data_fails_once_and_counts(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=1))
    with WorkerSession(storage, study, "w", None) as session:
        session.end(admit(session).token, ended(Reason.DATA, epochs=0, detail="no images"))
        assert session.finished() == "budget spent"
    invariants.check_end(storage, study)


def test_a_retry_takes_over_the_curve_up_to_its_checkpoint_and_no_further(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    dead = admit(session)
    for epoch in range(1, 6):
        session.report(dead.token, epoch_report(epoch, epoch / 10))
    (tmp_path / "c.pt").touch()
    session.checkpointed(dead.token, 3, str(tmp_path / "c.pt"))
    session.end(dead.token, ended(Reason.CRASH, epochs=5))
    retry = admit(session)
    assert (retry.ordinal, retry.attempt, retry.params) == (dead.ordinal, 2, dead.params)
    assert retry.resume_epoch == 3
    session.report(retry.token, epoch_report(4, 0.44))
    session.end(retry.token, ended(value=0.44, epochs=4))
    curve = snapshot.epochs(storage, study, retry.number)
    assert [(row.attempt, row.epoch, row.objective) for row in curve] == [
        (1, 1, 0.1),
        (1, 2, 0.2),
        (1, 3, 0.3),
        (2, 4, 0.44),
    ]
    theirs = invariants.optuna_trials(storage, study)
    assert theirs[retry.number].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.44}
    assert theirs[retry.number].user_attrs["retry_of"] == dead.number
    assert [row.epoch for row in snapshot.epochs(storage, study, dead.number)] == [1, 2, 3, 4, 5]


def test_without_a_checkpoint_a_retry_starts_anew(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    dead = admit(session)
    session.report(dead.token, epoch_report(1, 0.1))
    session.checkpointed(dead.token, 1, str(tmp_path / "gone.pt"))
    session.end(dead.token, ended(Reason.KILLED, epochs=1))
    retry = admit(session)
    assert retry.resume_epoch == 0
    assert snapshot.epochs(storage, study, retry.number) == []


def test_a_trial_given_back_is_the_next_one_admitted_and_goes_on(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.pt"
    checkpoint.touch()
    first = admit(session)
    other = admit(session)
    for epoch in (1, 2, 3):
        session.report(first.token, epoch_report(epoch, epoch / 10))
    session.give_back(other.token, 0, None)
    session.give_back(first.token, 2, str(checkpoint))
    assert snapshot.trial(storage, study, first.number).state is TrialState.WAITING
    again = admit(session)
    assert (again.number, again.attempt, again.retries_left) == (first.number, 2, first.retries_left)
    assert again.resume_epoch == 2
    assert again.token != first.token
    session.report(again.token, epoch_report(3, 0.33))
    curve = snapshot.epochs(storage, study, first.number)
    assert [(row.attempt, row.epoch, row.objective) for row in curve] == [(1, 1, 0.1), (1, 2, 0.2), (2, 3, 0.33)]
    session.end(again.token, ended(value=0.4, epochs=3))
    row = snapshot.trial(storage, study, first.number)
    assert [attempt.reason for attempt in row.attempts] == [Reason.GIVEN_BACK, Reason.COMPLETE]
    assert [attempt.resumed_from for attempt in row.attempts] == [0, 2]


def test_epochs_after_the_checkpoint_leave_the_curve_when_the_trial_goes_on(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    (tmp_path / "c.pt").touch()
    first = admit(session)
    for epoch in (1, 2, 3):
        session.report(first.token, epoch_report(epoch, 0.1))
    session.give_back(first.token, 1, str(tmp_path / "c.pt"))
    assert [row.epoch for row in snapshot.epochs(storage, study, first.number)] == [1, 2, 3]
    admit(session)
    assert [row.epoch for row in snapshot.epochs(storage, study, first.number)] == [1]


@pytest.mark.parametrize("point", ["outcome", "retry_asked", "requeued"])
def test_an_end_that_the_database_interrupted_is_made_again(storage: Storage, study: StudyRow, point: str) -> None:
    interruptions = [point]

    def fail(reached: str) -> None:
        if reached in interruptions:
            interruptions.remove(reached)
            raise StorageUnavailable(reached)

    with WorkerSession(storage, study, "w", None, failpoint=fail) as session:
        proposal = admit(session)
        message = ended(Reason.CRASH, epochs=0)
        with pytest.raises(StorageUnavailable):
            session.end(proposal.token, message)
        if point == "requeued":
            with pytest.raises(ClaimLost):
                session.end(proposal.token, message)  # the whole message was written
        else:
            assert session.end(proposal.token, message).retry
        assert [(again.ordinal, again.attempt) for again in run(session)] == [(0, 2), (1, 1), (2, 1)]
        session.reap()
    invariants.check_end(storage, study)


def test_giving_back_again_before_a_new_checkpoint_keeps_the_old_one(session: WorkerSession, tmp_path: Path) -> None:
    (tmp_path / "c.pt").touch()
    session.give_back(admit(session).token, 2, str(tmp_path / "c.pt"))
    session.give_back(admit(session).token, 2, None)
    assert admit(session).resume_epoch == 2
