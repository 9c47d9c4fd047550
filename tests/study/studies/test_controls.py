"""Changes that a person may make to a stored study."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hpo.errors import StudyStopped, UsageError
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.status import StudyState
from hpo.study.studies import controls, lifecycle, snapshot
from hpo.study.studies.progress import Control
from hpo.trial.vocabulary import Reason
from tests.study.session import invariants
from tests.study.support import Clock, admit, ended, epoch_report, run


@pytest.mark.parametrize("wanted", [Control.PAUSE, Control.STOP, Control.CANCEL])
def test_no_trial_starts_until_it_is_resumed_and_a_report_says_so(
    storage: Storage, study: StudyRow, session: WorkerSession, wanted: Control
) -> None:
    running = admit(session)

    def told(epoch: int) -> Control:
        session.report(running.token, epoch_report(epoch, 0.1))
        return session.control

    assert told(1) is Control.RUN
    controls.set_control(storage, study, wanted, "me")
    assert told(2) is wanted
    assert session.admit() is None
    assert session.finished() is None
    session.give_back(running.token, 0, None)
    assert session.admit() is None
    if wanted is not Control.PAUSE:
        with pytest.raises(StudyStopped, match="hpo resume digits"):
            controls.refuse_if_stopped(storage, study)
    controls.set_control(storage, study, Control.RUN, "me")
    controls.refuse_if_stopped(storage, study)
    run(session)
    invariants.check_end(storage, study)


def test_a_sign_of_life_brings_what_is_wanted(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    controls.set_control(storage, study, Control.CANCEL, "me")
    session.beat()
    assert session.control is Control.CANCEL
    assert snapshot.status(storage, study).state is StudyState.CANCELLED


def test_a_larger_budget_is_spent_to_the_last_trial_and_leaves_a_row(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    run(session)
    assert session.finished() == "budget spent"
    budget = controls.set_budget(storage, study, "me@here", trials=5, hours=None)
    assert (budget.trials, budget.hours) == (5, None)
    assert len(run(session)) == 2
    updated = lifecycle.load(storage, "digits")
    assert updated.spec.budget.trials == 5
    invariants.check_end(storage, updated)
    row = storage.read(lambda connection: connection.execute(select(tables.changes)).one())
    assert (row.by, row.key, row.before, row.after) == ("me@here", "budget.trials", 3, 5)


def test_a_budget_below_what_was_begun_is_refused(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    run(session, at_most=2)
    with pytest.raises(UsageError, match=r"budget\.trials=1.*begun 2"):
        controls.set_budget(storage, study, "me", trials=1, hours=None)
    controls.set_budget(storage, study, "me", trials=2, hours=None)
    assert session.admit() is None
    assert session.finished() == "budget spent"


def test_a_study_in_which_everything_fails_on_two_workers_pauses_itself(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    assert not session.give_up("three crashes")  # it is the only worker: the fault may be the machine's
    assert snapshot.status(storage, study).control == Control.RUN
    other = WorkerSession(storage, study, "w2", None, clock=clock)
    clock.pass_(seconds=10)
    assert other.give_up("three crashes")
    status = snapshot.status(storage, study)
    assert (status.control, status.control_reason) == (Control.PAUSE, "everything fails on w, w2: three crashes")


def test_a_worker_that_gave_up_before_this_one_came_does_not_count(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    session.give_up("three crashes")
    clock.pass_(seconds=10)
    session.close()
    clock.pass_(seconds=10)
    later = WorkerSession(storage, study, "w2", None, clock=clock)
    assert not later.give_up("three crashes")


def test_time_in_attempts_is_counted_and_what_was_wasted_is_named(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    import dataclasses

    def later(reason: Reason, value: float | None) -> None:
        proposal = admit(session)
        clock.pass_(hours=1)
        message = dataclasses.replace(ended(reason, value, 1), recorded_at=clock().timestamp())
        session.end(proposal.token, message)

    later(Reason.CRASH, None)
    later(Reason.COMPLETE, 0.5)
    status = snapshot.status(storage, study)
    assert (status.device_hours, status.wasted_hours[Reason.CRASH]) == (2.0, 1.0)
    assert sum(status.wasted_hours.values()) == 1.0
