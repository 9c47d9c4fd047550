"""Rows of uploaded checkpoints: fenced, limited in number, and known until they are deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.errors import ClaimLost
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow, Upload
from hpo.study.session.recording import Active
from hpo.study.session.worker_session import WorkerSession
from hpo.trial.vocabulary import Reason
from tests.study.session import invariants
from tests.study.support import MakeStudy, admit, admit_only, ended, epoch_report, study_spec


@pytest.fixture
def study(make_study: MakeStudy) -> StudyRow:
    return make_study(study_spec(trials=3, retries=2))


def upload(epoch: int, of: str = "a") -> Upload:
    return Upload(epoch, f"{epoch}" * 64, f"mlflow-artifacts:/1/checkpoints/00000/{of}-{epoch}.pt")


def test_the_newest_and_the_one_with_the_most_epochs_stay(session: WorkerSession) -> None:
    trial = admit(session)
    assert session.uploads.add(trial.token, upload(1)) == []
    assert session.uploads.add(trial.token, upload(2)) == []
    superseded = session.uploads.add(trial.token, upload(3))
    assert superseded == [upload(1)]
    session.uploads.forget(trial.token, superseded)
    session.end(trial.token, ended(Reason.CRASH, epochs=3))
    retry = admit(session)
    assert [kept for before in retry.earlier for kept in before.uploads] == [upload(2), upload(3)]
    # it started again without the store: its uploads must not replace checkpoints with more epochs
    assert session.uploads.add(retry.token, upload(1, "b")) == [upload(2)]
    assert session.uploads.add(retry.token, upload(4, "b")) == [upload(1, "b"), upload(2)]


def test_the_same_upload_twice_is_one(session: WorkerSession) -> None:
    trial = admit(session)
    for _ in range(2):
        assert session.uploads.add(trial.token, upload(1)) == []
    session.give_back(trial.token, 1, None)
    assert [before.uploads for before in admit_only(session).earlier] == [(upload(1),)]


def test_a_trial_that_was_uploaded_goes_on_where_its_checkpoint_does_not_lie(session: WorkerSession) -> None:
    trial = admit(session)
    for epoch in (1, 2, 3):
        session.report(trial.token, epoch_report(epoch, 0.1))
    session.checkpointed(trial.token, 3, "/on/another/machine.pt")
    session.uploads.add(trial.token, upload(2))
    session.end(trial.token, ended(Reason.KILLED, epochs=3))
    retry = admit_only(session)
    assert (retry.resume_epoch, retry.recorded) == (2, 2)


def test_who_lost_the_trial_adds_and_forgets_nothing(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    trial = admit(session)
    session.uploads.add(trial.token, upload(1))
    session.give_back(trial.token, 1, None)
    for call in (
        lambda: session.uploads.add(trial.token, upload(2)),
        lambda: session.uploads.forget(trial.token, [upload(1)]),
    ):
        with pytest.raises(ClaimLost):
            call()
    with WorkerSession(storage, study, "another", None) as other:
        again = admit_only(other)
        assert [before.uploads for before in again.earlier] == [(upload(1),)]
        session._active[trial.token] = Active(replace(again, token=trial.token), 0)
        with pytest.raises(ClaimLost):  # the database refuses, whatever the session believes
            session.uploads.add(trial.token, upload(2))


def test_what_an_ended_trial_left_is_known_until_it_is_cleared(session: WorkerSession) -> None:
    first, second = admit(session), admit(session)
    session.uploads.add(first.token, upload(1))
    session.uploads.add(second.token, replace(upload(1), location="elsewhere/1.pt"))
    assert session.uploads.left() == {}
    session.end(first.token, ended(value=0.5))
    assert session.uploads.left() == {first.ordinal: [upload(1)]}
    session.uploads.clear(second.ordinal)  # it runs, so none of its uploads is forgotten
    session.uploads.clear(first.ordinal)
    assert session.uploads.left() == {}
    session.end(second.token, ended(value=0.5))
    assert list(session.uploads.left()) == [second.ordinal]


def test_what_a_resumed_attempt_takes_back_is_seen_by_no_sampler_and_no_pruner(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    trial = admit(session)
    for epoch in (1, 2, 3):
        session.report(trial.token, epoch_report(epoch, 0.1 * epoch))
    session.give_back(trial.token, 1, None)  # its checkpoint has fewer epochs or is torn, so it starts again
    again = admit(session)
    session.report(again.token, epoch_report(1, 0.5))
    session.end(again.token, ended(Reason.PRUNED, epochs=1))
    seen = session._context.history.get_all_trials(session._context.history.get_study_id_from_name(study.name))
    assert [found.intermediate_values for found in seen] == [{1: 0.5}]
    assert seen[0].last_step == 1
    invariants.check(storage, study)
