"""Failures before the first epoch that another attempt would only repeat."""

from __future__ import annotations

import socket

import pytest

from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, snapshot
from hpo.study.studies.progress import Control
from hpo.trial.vocabulary import Reaction, Reason, TrialState
from tests.study.session import invariants
from tests.study.support import MakeStudy, admit, ended, epoch_report, run, study_spec, train

READ_ONLY = "OSError: [Errno 30] Read-only file system: '/data/labels.cache' [data/utils.py:12 in save]"
ELSEWHERE = READ_ONLY.replace(":12", ":34")


def fail(session: WorkerSession, detail: str = READ_ONLY) -> Reaction:
    return session.end(admit(session).token, ended(Reason.CRASH, epochs=0, detail=detail))


def states(storage: Storage, study: StudyRow) -> list[tuple[TrialState, bool]]:
    return [(row.state, row.counts) for row in snapshot.trials(storage, study)]


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_while_no_trial_has_an_epoch_a_repeated_failure_pauses_the_study_and_ends_no_trial(
    storage: Storage, make_study: MakeStudy, retries: int
) -> None:
    study = make_study(study_spec(trials=3, retries=retries))
    with WorkerSession(storage, study, "w", None) as session:
        while not fail(session).pauses:
            pass
        status = snapshot.status(storage, study)
        assert (status.control, status.budget.counted) == (Control.PAUSE, 0)
        assert "Read-only" in status.control_reason
        assert states(storage, study) == [(TrialState.FAIL, False)] * min(retries, 1) + [(TrialState.WAITING, False)]
        assert session.admit() is None
        controls.set_control(storage, study, Control.RUN, "me")
        assert fail(session).pauses, "the cause is still there"
        controls.set_control(storage, study, Control.RUN, "me")
        assert [proposal.ordinal for proposal in run(session)] == [0, 1, 2]
    invariants.check_end(storage, study)


def test_once_a_trial_has_an_epoch_the_second_such_failure_on_a_node_ends_its_trial(
    storage: Storage, make_study: MakeStudy
) -> None:
    study = make_study(study_spec(trials=2, retries=5))
    with WorkerSession(storage, study, "w", None) as session:
        train(session, admit(session))
        assert fail(session).retry
        assert fail(session).counts
        assert session.finished() == "budget spent"
    assert states(storage, study)[1:] == [(TrialState.FAIL, False), (TrialState.FAIL, True)]
    invariants.check_end(storage, study)


def test_failures_in_other_places_are_each_tried_again(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=2, retries=2))
    with WorkerSession(storage, study, "w", None) as session:
        train(session, admit(session))
        assert [fail(session, detail).retry for detail in (READ_ONLY, ELSEWHERE)] == [True, True]
        assert fail(session, "").counts


def test_a_crash_after_an_epoch_is_tried_again_in_the_same_place(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=1, retries=2))
    with WorkerSession(storage, study, "w", None) as session:
        reactions = []
        for _ in range(3):
            proposal = admit(session)
            session.report(proposal.token, epoch_report(1, 0.1))
            reactions.append(session.end(proposal.token, ended(Reason.CRASH, epochs=1, detail=READ_ONLY)).retry)
    assert reactions == [True, True, False]


def test_one_other_node_may_try(storage: Storage, make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(study_spec(trials=2, retries=9))
    with WorkerSession(storage, study, "w", None) as session:
        train(session, admit(session))
        retried = []
        for host in ("a", "b", "c"):
            monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
            retried.append(fail(session).retry)
    assert retried == [True, True, False]


def test_a_study_that_somebody_stopped_stays_stopped(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=2, retries=0))
    with WorkerSession(storage, study, "w", None) as session:
        proposal = admit(session)
        controls.set_control(storage, study, Control.STOP, "me")
        assert session.end(proposal.token, ended(Reason.CRASH, epochs=0, detail=READ_ONLY)).pauses
    assert snapshot.status(storage, study).control == Control.STOP
