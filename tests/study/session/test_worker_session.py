"""A worker's session on a study."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from hpo.errors import ClaimLost, StorageUnavailable
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.recording import Place
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.studyfile.schema import Method, Search
from hpo.trial.operating_point import OperatingPoint
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import invariants
from tests.study.support import (
    INSIDE,
    Clock,
    MakeStudy,
    admit,
    begin,
    ended,
    epoch_report,
    outlive,
    run,
    study_spec,
)


def test_a_study_ends_when_its_budget_is_spent(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    assert [proposal.ordinal for proposal in run(session)] == [0, 1, 2]
    assert session.finished() == "budget spent"
    invariants.check_end(storage, study)


def test_a_trial_that_runs_keeps_the_search_open(session: WorkerSession) -> None:
    running = admit(session)
    run(session)
    assert session.admit() is None
    assert session.finished() is None
    session.end(running.token, ended(value=0.5))
    assert session.finished() == "budget spent"


def test_no_new_trial_starts_after_the_hours_but_what_waits_goes_on(
    storage: Storage, make_study: MakeStudy, clock: Clock
) -> None:
    study = make_study(study_spec(trials=50, hours=2.0, lease_s=7200.0))
    with WorkerSession(storage, study, "a", None, clock=clock) as session:
        clock.pass_(hours=1.5)
        session.beat()
        given_back = admit(session)
        session.give_back(given_back.token, 0, None)
    clock.pass_(hours=5)  # no worker runs: these hours do not count
    with WorkerSession(storage, study, "b", None, clock=clock) as session:
        clock.pass_(hours=0.6)
        assert run(session)[0].ordinal == given_back.ordinal
        assert session.finished() == "hours spent"
        assert snapshot.status(storage, study).budget.hours_used == pytest.approx(2.1)


@pytest.mark.parametrize("jump_h", [8.0, -10.0])
def test_a_clock_that_jumps_ends_no_budget_of_hours_and_stops_no_count(
    storage: Storage, make_study: MakeStudy, clock: Clock, jump_h: float
) -> None:
    study = make_study(study_spec(trials=50, hours=1.0, lease_s=60.0))
    with WorkerSession(storage, study, "a", None, clock=clock) as session:
        for _ in range(30):
            clock.pass_(hours=0.01)
            session.beat()
        clock.pass_(hours=jump_h)
        for _ in range(30):
            clock.pass_(hours=0.01)
            session.beat()
        used = snapshot.status(storage, study).budget.hours_used
        assert 0.59 <= round(used, 6) <= 0.6 + 60 / 3600  # within one sign of life and one lease
        assert session.admit() is not None


def test_the_hours_of_several_workers_count_once(storage: Storage, make_study: MakeStudy, clock: Clock) -> None:
    study = make_study(study_spec(trials=50, hours=1.0, lease_s=60.0))
    with (
        WorkerSession(storage, study, "a", None, clock=clock) as one,
        WorkerSession(storage, study, "b", None, clock=clock) as other,
    ):
        for _ in range(10):
            for session in (one, other):
                clock.pass_(hours=0.005)
                session.beat()
    assert snapshot.status(storage, study).budget.hours_used == pytest.approx(0.1)


def test_what_is_asked_and_what_is_trained_are_stored(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    proposal = session.admit()
    assert proposal is not None
    point = OperatingPoint(0.6, 0.3)
    asked = {"epochs": 10, "lr0": 0.01, "classes": [0, 1]}
    session.begin(proposal.token, asked, point, Place("/runs/00000-1", "cuda:1", 3), 0)
    session.started(proposal.token, {"batch": 8, "optimizer": "AdamW"}, 0)
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.train, row.operating_point, row.folder) == (asked, point, "/runs/00000-1")
    assert row.attempts[0].effective == {"batch": 8, "optimizer": "AdamW"}
    assert (row.state, row.reason, row.worker, row.finished) == (TrialState.RUNNING, None, "w", None)


def test_an_outcome_is_in_our_rows_and_in_optunas(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    proposal = admit(session)
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
    proposal = admit(session)
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
    proposal = admit(session)
    session.report(proposal.token, epoch_report(1, 0.3))
    assert session.end(proposal.token, ended(reason, epochs=1)).counts
    theirs = invariants.optuna_trials(storage, study)[proposal.number]
    assert (theirs.state, theirs.value) == (optuna.trial.TrialState.PRUNED, 0.3)
    assert (theirs.constraints, theirs.user_attrs["reason"]) == ({"failure": 1.0}, reason.value)


def test_a_death_between_two_transactions_of_admission_leaves_no_gap_in_the_attempts(
    storage: Storage, study: StudyRow, clock: Clock
) -> None:
    def die(point: str) -> None:
        if point == "claimed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WorkerSession(storage, study, "w", None, failpoint=die, clock=clock).admit()
    session = WorkerSession(storage, study, "w", None, clock=clock)
    outlive(session, clock)
    given_back = admit(session)
    session.give_back(given_back.token, 0, None)
    with pytest.raises(KeyboardInterrupt):
        WorkerSession(storage, study, "w", None, failpoint=die, clock=clock).admit()
    outlive(session, clock)
    again = admit(session)
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


def test_samplers_and_pruners_see_a_retry_and_not_its_dead(study: StudyRow, session: WorkerSession) -> None:
    dead = admit(session)
    session.end(dead.token, ended(Reason.KILLED, epochs=0))
    retry = admit(session)
    assert [trial.number for trial in session._context.plain.get_trials()] == [retry.number]


def test_a_lost_claim_writes_nothing(storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock) -> None:
    proposal = admit(session)
    outlive(WorkerSession(storage, study, "w2", None, clock=clock), clock)
    before = snapshot.trials(storage, study)
    for write in (
        lambda: session.begin(proposal.token, {"epochs": 1}, None, Place("/x"), 0),
        lambda: session.started(proposal.token, {"batch": 1}, 0),
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
    proposal = admit(session)
    session.end(proposal.token, ended(value=0.5))
    with pytest.raises(ClaimLost):
        session.end(proposal.token, ended(value=0.6))
    with pytest.raises(ClaimLost):
        session.report("no such token", epoch_report(1, 0.5))


def test_a_repeated_report_replaces_the_first(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    proposal = admit(session)
    session.report(proposal.token, epoch_report(1, 0.1))
    session.report(proposal.token, epoch_report(1, 0.2))
    assert [row.objective for row in snapshot.epochs(storage, study, proposal.number)] == [0.2]
    assert invariants.optuna_trials(storage, study)[proposal.number].intermediate_values == {1: 0.2}


def test_the_pruner_stops_what_lags_behind_and_never_the_baseline(storage: Storage, make_study: MakeStudy) -> None:
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
            session.end(proposal.token, ended(value=0.5 + proposal.ordinal / 100))
    assert not any(any(answers) for ordinal, answers in asked.items() if ordinal < 8)
    assert asked[8] == [False] * 3 + [True] * 6 + [False]  # from epoch 4 on, and not at the last one


def test_a_retry_keeps_the_rungs_that_its_copied_epochs_had_passed(
    storage: Storage, make_study: MakeStudy, tmp_path: Path
) -> None:
    halving = Method("sha", (("min_resource", 4), ("reduction_factor", 2)))
    spec = study_spec(search=Search(sampler=Method("random"), pruner=halving), trials=1, train=(("epochs", 40),))
    (tmp_path / "c.pt").touch()
    with WorkerSession(storage, make_study(spec), "w", None) as session:
        dead = admit(session)
        assert not any(session.report(dead.token, epoch_report(epoch, epoch / 100)) for epoch in range(1, 18))
        session.checkpointed(dead.token, 10, str(tmp_path / "c.pt"))
        session.end(dead.token, ended(Reason.KILLED, epochs=17))
        retry = admit(session)
        session.report(retry.token, epoch_report(11, 0.11))
    theirs = session._context.storage.optuna.get_all_trials(session._context.study.id)
    rungs = [{key: value for key, value in trial.system_attrs.items() if "rung" in key} for trial in theirs]
    first, second, third = "completed_rung_0", "completed_rung_1", "completed_rung_2"
    assert rungs == [{first: 0.04, second: 0.08, third: 0.16}, {first: 0.04, second: 0.08}]
