from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from hpo.errors import ClaimLost, StorageUnavailable
from hpo.spec.schema import Method, Search
from hpo.study import snapshot
from hpo.study.records import Proposal, StudyRow
from hpo.study.storage import Storage
from hpo.study.worker_session import WorkerSession
from hpo.trial.messages import encode
from hpo.trial.request import OperatingPoint
from hpo.trial.vocabulary import Reason, TrialState
from tests.study import invariants
from tests.study.support import (
    INSIDE,
    Clock,
    Opened,
    begin,
    ended,
    epoch_report,
    run,
    study_spec,
    train,
)


@pytest.fixture
def study(make_study: Opened) -> StudyRow:
    return make_study(study_spec(trials=3))


@pytest.fixture
def session(storage: Storage, study: StudyRow) -> WorkerSession:
    return WorkerSession(storage, study, "w", None)


def _admit(session: WorkerSession, folder: Path | str = "/attempt") -> Proposal:
    proposal = session.admit()
    assert proposal is not None
    begin(session, proposal, folder)
    return proposal


def test_a_study_ends_when_its_budget_is_spent(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    assert [proposal.ordinal for proposal in run(session)] == [0, 1, 2]
    assert session.finished() == "budget spent"
    invariants.check_end(storage, study)


def test_a_trial_that_runs_keeps_the_search_open(session: WorkerSession) -> None:
    running = _admit(session)
    run(session)
    assert session.admit() is None
    assert session.finished() is None
    session.end(running.token, ended(value=0.5))
    assert session.finished() == "budget spent"


def test_no_new_trial_starts_after_the_hours_but_what_waits_goes_on(
    storage: Storage, make_study: Opened, clock: Clock
) -> None:
    study = make_study(study_spec(trials=50, hours=2.0))
    with WorkerSession(storage, study, "a", None, clock=clock) as session:
        clock.pass_(hours=1.5)
        session.seen()
        given_back = _admit(session)
        session.give_back(given_back.token, 0, None)
    clock.pass_(hours=5)  # nobody works: these do not count
    with WorkerSession(storage, study, "b", None, clock=clock) as session:
        clock.pass_(hours=0.6)
        assert run(session)[0].ordinal == given_back.ordinal
        assert session.finished() == "hours spent"
        assert snapshot.status(storage, study).budget.hours_used == pytest.approx(2.1)


def test_what_is_asked_and_what_is_trained_are_stored(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    proposal = session.admit()
    assert proposal is not None
    point = OperatingPoint(0.6, 0.3)
    asked = {"epochs": 10, "lr0": 0.01, "classes": [0, 1]}
    session.begin(proposal.token, train=asked, operating_point=point, folder="/runs/00000-1")
    session.started(proposal.token, {"batch": 8, "optimizer": "AdamW"})
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.train, row.operating_point, row.folder) == (asked, point, "/runs/00000-1")
    assert row.attempts[0].effective == {"batch": 8, "optimizer": "AdamW"}
    assert (row.state, row.reason, row.worker, row.finished) == (TrialState.RUNNING, None, "w", None)


def test_an_outcome_is_in_our_rows_and_in_optunas(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    proposal = _admit(session)
    session.report(proposal.token, epoch_report(1, 0.25))
    reaction = session.end(proposal.token, ended(value=0.5, epochs=10))
    assert (reaction.state, reaction.counts) == (TrialState.COMPLETE, True)
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.value, row.metrics, row.epochs, row.counts) == (0.5, {"map50": 0.5}, 10, True)
    theirs = invariants.optuna_trials(storage, study)[proposal.number]
    assert (theirs.value, theirs.intermediate_values, theirs.params) == (0.5, {1: 0.25}, row.params)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_result_that_is_no_number_is_a_divergence(
    storage: Storage, study: StudyRow, session: WorkerSession, value: float | None
) -> None:
    proposal = _admit(session)
    session.report(proposal.token, epoch_report(1, float("nan")))
    session.end(proposal.token, ended(value=value))
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.state, row.reason, row.value) == (TrialState.PRUNED, Reason.DIVERGED, None)
    assert "not a finite number" in row.detail
    assert invariants.optuna_trials(storage, study)[proposal.number].intermediate_values == {}
    invariants.check(storage, study)


@pytest.mark.parametrize("reason", [Reason.DIVERGED, Reason.OOM])
def test_samplers_are_told_of_a_failure_by_a_violated_constraint(
    storage: Storage, study: StudyRow, session: WorkerSession, reason: Reason
) -> None:
    proposal = _admit(session)
    session.report(proposal.token, epoch_report(1, 0.3))
    assert session.end(proposal.token, ended(reason, epochs=1)).counts
    theirs = invariants.optuna_trials(storage, study)[proposal.number]
    assert (theirs.state, theirs.value) == (optuna.trial.TrialState.PRUNED, 0.3)
    assert (theirs.constraints, theirs.user_attrs["reason"]) == ({"failure": 1.0}, reason.value)


@pytest.mark.parametrize("reason", [Reason.KILLED, Reason.HUNG, Reason.CRASH, Reason.HOST_OOM, Reason.DISK])
def test_a_death_is_tried_again_until_the_retries_are_spent(
    storage: Storage, make_study: Opened, reason: Reason
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


def test_bad_data_fails_once_and_counts(storage: Storage, make_study: Opened) -> None:
    study = make_study(study_spec(trials=1))
    with WorkerSession(storage, study, "w", None) as session:
        session.end(_admit(session).token, ended(Reason.DATA, epochs=0, detail="no images"))
        assert session.finished() == "budget spent"
    invariants.check_end(storage, study)


def test_a_retry_takes_over_the_curve_up_to_its_checkpoint_and_no_further(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    dead = _admit(session)
    for epoch in range(1, 6):
        session.report(dead.token, epoch_report(epoch, epoch / 10))
    (tmp_path / "c.pt").touch()
    session.checkpointed(dead.token, 3, str(tmp_path / "c.pt"))
    session.end(dead.token, ended(Reason.CRASH, epochs=5))
    retry = _admit(session)
    assert (retry.ordinal, retry.attempt, retry.params) == (dead.ordinal, 2, dead.params)
    assert (retry.resume_epoch, retry.checkpoint) == (3, str(tmp_path / "c.pt"))
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
    dead = _admit(session)
    session.report(dead.token, epoch_report(1, 0.1))
    session.checkpointed(dead.token, 1, str(tmp_path / "gone.pt"))
    session.end(dead.token, ended(Reason.KILLED, epochs=1))
    retry = _admit(session)
    assert (retry.resume_epoch, retry.checkpoint) == (0, None)
    assert snapshot.epochs(storage, study, retry.number) == []


def test_a_trial_given_back_is_the_next_one_admitted_and_goes_on(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.pt"
    checkpoint.touch()
    first = _admit(session)
    other = _admit(session)
    for epoch in (1, 2, 3):
        session.report(first.token, epoch_report(epoch, epoch / 10))
    session.give_back(other.token, 0, None)
    session.give_back(first.token, 2, str(checkpoint))
    assert snapshot.trial(storage, study, first.number).state is TrialState.WAITING
    again = _admit(session)
    assert (again.number, again.attempt, again.retries_left) == (first.number, 2, first.retries_left)
    assert (again.resume_epoch, again.checkpoint) == (2, str(checkpoint))
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
    first = _admit(session)
    for epoch in (1, 2, 3):
        session.report(first.token, epoch_report(epoch, 0.1))
    session.give_back(first.token, 1, str(tmp_path / "c.pt"))
    assert [row.epoch for row in snapshot.epochs(storage, study, first.number)] == [1, 2, 3]
    _admit(session)
    assert [row.epoch for row in snapshot.epochs(storage, study, first.number)] == [1]


def test_a_death_between_two_transactions_of_admission_leaves_no_gap_in_the_attempts(
    storage: Storage, study: StudyRow
) -> None:
    def die(point: str) -> None:
        if point == "claimed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WorkerSession(storage, study, "w", None, failpoint=die).admit()
    session = WorkerSession(storage, study, "w", None)
    session.repair()
    given_back = _admit(session)
    session.give_back(given_back.token, 0, None)
    with pytest.raises(KeyboardInterrupt):
        WorkerSession(storage, study, "w", None, failpoint=die).admit()
    session.repair()
    again = _admit(session)
    assert (given_back.ordinal, given_back.attempt) == (0, 1)
    assert (again.ordinal, again.attempt) == (0, 2)


@pytest.mark.parametrize("point", ["claimed", "asked", "suggested"])
def test_an_admission_that_the_database_interrupted_is_made_again(
    storage: Storage, study: StudyRow, point: str
) -> None:
    interruptions = [point]

    def fail(reached: str) -> None:
        if reached in interruptions:
            interruptions.remove(reached)
            raise StorageUnavailable(reached)

    with WorkerSession(storage, study, "w", None, failpoint=fail) as session:
        with pytest.raises(StorageUnavailable):
            session.admit()
        proposals = run(session)
        assert [(proposal.ordinal, proposal.attempt) for proposal in proposals] == [(0, 1), (1, 1), (2, 1)]
        assert session.finished() == "budget spent"
    invariants.check_end(storage, study)


@pytest.mark.parametrize("point", ["outcome", "told", "retry_asked", "requeued"])
def test_an_end_that_the_database_interrupted_is_made_again(storage: Storage, study: StudyRow, point: str) -> None:
    interruptions = [point]

    def fail(reached: str) -> None:
        if reached in interruptions:
            interruptions.remove(reached)
            raise StorageUnavailable(reached)

    with WorkerSession(storage, study, "w", None, failpoint=fail) as session:
        proposal = _admit(session)
        message = ended(Reason.CRASH, epochs=0)
        with pytest.raises(StorageUnavailable):
            session.end(proposal.token, message)
        if point == "requeued":
            with pytest.raises(ClaimLost):
                session.end(proposal.token, message)  # all of it was written
        else:
            assert session.end(proposal.token, message).retry
        assert [(again.ordinal, again.attempt) for again in run(session)] == [(0, 2), (1, 1), (2, 1)]
        session.repair()
    invariants.check_end(storage, study)


def test_samplers_and_pruners_see_a_retry_and_not_its_dead(study: StudyRow, session: WorkerSession) -> None:
    dead = _admit(session)
    session.end(dead.token, ended(Reason.KILLED, epochs=0))
    retry = _admit(session)
    assert [trial.number for trial in session._context.plain.get_trials()] == [retry.number]


def test_giving_back_again_before_a_new_checkpoint_keeps_the_old_one(session: WorkerSession, tmp_path: Path) -> None:
    (tmp_path / "c.pt").touch()
    session.give_back(_admit(session).token, 2, str(tmp_path / "c.pt"))
    session.give_back(_admit(session).token, 2, None)
    assert _admit(session).resume_epoch == 2


def test_a_lost_claim_writes_nothing(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    proposal = _admit(session)
    successor = WorkerSession(storage, study, "w2", None)
    successor.repair()
    before = snapshot.trials(storage, study)
    for write in (
        lambda: session.begin(proposal.token, train={"epochs": 1}, operating_point=None, folder="/x"),
        lambda: session.started(proposal.token, {"batch": 1}),
        lambda: session.report(proposal.token, epoch_report(1, 0.9)),
        lambda: session.checkpointed(proposal.token, 1, "/c.pt"),
        lambda: session.give_back(proposal.token, 1, None),
        lambda: session.end(proposal.token, ended(value=0.9)),
    ):
        with pytest.raises(ClaimLost):
            write()
    after = snapshot.trials(storage, study)
    assert after == before
    assert snapshot.epochs(storage, study, proposal.number) == []


def test_an_ended_attempt_can_not_be_ended_again(session: WorkerSession) -> None:
    proposal = _admit(session)
    session.end(proposal.token, ended(value=0.5))
    with pytest.raises(ClaimLost):
        session.end(proposal.token, ended(value=0.6))
    with pytest.raises(ClaimLost):
        session.report("no such token", epoch_report(1, 0.5))


def test_a_repeated_report_replaces_the_first(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    proposal = _admit(session)
    session.report(proposal.token, epoch_report(1, 0.1))
    session.report(proposal.token, epoch_report(1, 0.2))
    assert [row.objective for row in snapshot.epochs(storage, study, proposal.number)] == [0.2]
    assert invariants.optuna_trials(storage, study)[proposal.number].intermediate_values == {1: 0.2}


def test_a_result_that_was_not_told_is_told_and_not_trained_again(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path
) -> None:
    proposal = _admit(session, tmp_path)
    (tmp_path / "ended.json").write_bytes(encode(ended(value=0.7)))
    successor = WorkerSession(storage, study, "w2", None)
    assert successor.repair() == (proposal.number,)
    assert snapshot.trial(storage, study, proposal.number).value == 0.7
    assert [next_one.ordinal for next_one in run(successor)] == [1, 2]
    invariants.check_end(storage, study)


@pytest.mark.parametrize("damage", [b"", b'{"kind": "Ended"', b'{"kind": "Nothing"}', b"[]", b'{"kind": "Ended"}'])
def test_a_damaged_result_is_a_death(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path, damage: bytes
) -> None:
    proposal = _admit(session, tmp_path)
    (tmp_path / "ended.json").write_bytes(damage)
    successor = WorkerSession(storage, study, "w2", None)
    successor.repair()
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.state, row.reason, row.counts) == (TrialState.FAIL, Reason.KILLED, False)
    run(successor)
    invariants.check_end(storage, study)


def test_a_dead_attempt_ended_when_it_last_showed_life(storage: Storage, study: StudyRow, clock: Clock) -> None:
    session = WorkerSession(storage, study, "w", None, clock=clock)
    proposal = _admit(session)
    clock.pass_(minutes=3)
    session.seen()
    died_at = clock.now
    clock.pass_(days=3)
    WorkerSession(storage, study, "w2", None, clock=clock).repair()
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.finished, row.duration_s) == (died_at, 180.0)


def test_repair_of_a_healthy_study_does_nothing(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    train(session, _admit_only(session))
    session.give_back(_admit(session).token, 0, None)
    before = snapshot.trials(storage, study)
    assert session.repair() == ()
    assert snapshot.trials(storage, study) == before


def test_a_trial_that_someone_ended_with_other_tools_is_tried_again(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    proposal = _admit(session)
    session.give_back(proposal.token, 0, None)
    theirs = optuna.load_study(study_name="digits", storage=storage.optuna)
    theirs.ask()
    theirs.tell(proposal.number, state=optuna.trial.TrialState.FAIL)
    session.repair()
    run(session)
    invariants.check_end(storage, study)


def _admit_only(session: WorkerSession) -> Proposal:
    proposal = session.admit()
    assert proposal is not None
    return proposal


def test_the_pruner_stops_what_lags_behind_and_never_the_baseline(storage: Storage, make_study: Opened) -> None:
    study = make_study(study_spec(pruner="median", baseline=True, trials=9))
    asked: dict[int, list[bool]] = {}
    with WorkerSession(storage, study, "w", INSIDE) as session:
        while (proposal := session.admit()) is not None:
            begin(session, proposal)
            good = proposal.ordinal in range(1, 8)
            answers = [
                session.report(proposal.token, epoch_report(epoch, 0.05 * epoch * (1 + good))) for epoch in range(1, 11)
            ]
            asked[proposal.ordinal] = answers
            session.end(proposal.token, ended(value=0.5))
    assert not any(any(answers) for ordinal, answers in asked.items() if ordinal < 8)
    assert asked[8] == [False] * 3 + [True] * 6 + [False]  # from epoch 4 on, and not at the last one


def test_a_retry_keeps_the_rungs_that_its_copied_epochs_had_passed(
    storage: Storage, make_study: Opened, tmp_path: Path
) -> None:
    halving = Method("sha", (("min_resource", 4), ("reduction_factor", 2)))
    spec = study_spec(search=Search(sampler=Method("random"), pruner=halving), trials=1, train=(("epochs", 40),))
    (tmp_path / "c.pt").touch()
    with WorkerSession(storage, make_study(spec), "w", None) as session:
        dead = _admit(session)
        assert not any(session.report(dead.token, epoch_report(epoch, epoch / 100)) for epoch in range(1, 18))
        session.checkpointed(dead.token, 10, str(tmp_path / "c.pt"))
        session.end(dead.token, ended(Reason.KILLED, epochs=17))
        retry = _admit(session)
        session.report(retry.token, epoch_report(11, 0.11))
    theirs = session._context.storage.optuna.get_all_trials(session._context.study.id)
    rungs = [{key: value for key, value in trial.system_attrs.items() if "rung" in key} for trial in theirs]
    first, second, third = "completed_rung_0", "completed_rung_1", "completed_rung_2"
    assert rungs == [{first: 0.04, second: 0.08, third: 0.16}, {first: 0.04, second: 0.08}]
