"""Detection of dead workers from the view of one worker."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from hpo.errors import ClaimLost
from hpo.study.claims import claims, liveness
from hpo.study.claims.leases import Watch
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import invariants
from tests.study.support import Clock, admit, ended, epoch_report, outlive, run

LEASE_S = 60.0


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(*steps: tuple[float, dict[str, int]]) -> dict[str, int]:
    """Return the leases that have expired after looks at the given moments."""
    time = Time()
    watch = Watch(LEASE_S, time)
    for at, beats in steps:
        time.now = at
        watch.saw(beats, at)
    return watch.expired()


def test_a_beat_that_stands_still_for_a_whole_lease_is_dead() -> None:
    looks = [(at, {"a": 7, "b": int(at)}) for at in (0.0, 15.0, 30.0, 45.0)]
    assert watched(*looks) == {}
    assert watched(*looks, (60.0, {"a": 7, "b": 60})) == {"a": 7}


def test_a_beat_that_moved_begins_a_lease_anew() -> None:
    looks = [(at, {"a": 0 if at < 50 else 1}) for at in range(0, 105, 15)]
    assert watched(*looks) == {}


def test_a_lease_that_was_first_seen_late_is_not_dead_at_once() -> None:
    looks: list[tuple[float, dict[str, int]]] = [(at, {}) for at in range(0, 120, 15)]
    assert watched(*looks, (120.0, {"a": 3})) == {}


def test_whoever_lost_sight_of_the_database_begins_anew() -> None:
    before: list[tuple[float, dict[str, int]]] = [(at, {"a": 7}) for at in (0.0, 15.0, 30.0)]
    assert watched(*before, (300.0, {"a": 7})) == {}
    after: list[tuple[float, dict[str, int]]] = [(300.0 + at, {"a": 7}) for at in (0.0, 15.0, 30.0, 45.0)]
    assert watched(*before, *after) == {}
    assert watched(*before, *after, (360.0, {"a": 7})) == {"a": 7}


def test_nothing_is_dead_while_the_database_does_not_answer() -> None:
    time = Time()
    watch = Watch(LEASE_S, time)
    for at in (0.0, 15.0, 30.0, 45.0, 60.0):
        time.now = at
        watch.saw({"a": 1}, at)
    assert watch.expired() == {"a": 1}
    watch.lost_sight()
    assert watch.expired() == {}


def test_of_a_long_time_between_two_looks_half_a_lease_is_counted() -> None:
    looks = [(at, {"a": 7}) for at in (0.0, 100.0)]
    assert watched(*looks) == {}
    assert watched(*looks, (200.0, {"a": 7})) == {"a": 7}


def test_the_time_until_an_answer_comes_does_not_count() -> None:
    time = Time()
    watch = Watch(LEASE_S, time)
    for at in (0.0, 30.0, 60.0):
        time.now = at + 15.0
        watch.saw({"a": 1}, at)
    assert watch.expired() == {}


def test_only_this_machine_says_that_a_process_is_gone() -> None:
    here = liveness.this_process()
    assert not liveness.is_gone(here)
    assert not liveness.is_gone("")
    assert not liveness.is_gone("not a process")
    child = subprocess.run(
        [sys.executable, "-c", "from hpo.study.claims import liveness; print(liveness.this_process())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert liveness.is_gone(child)
    place, pid, start = here.rsplit("/", 2)
    assert liveness.is_gone(f"{place}/{pid}/{int(start) - 1}")  # the pid belonged to another process before
    elsewhere = child.replace(place, "another-boot/pid:[1]")
    assert not liveness.is_gone(elsewhere)


def test_a_lease_that_is_renewed_is_never_taken(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    other = WorkerSession(storage, study, "w2", None, clock=clock)
    proposal = admit(session)
    for _ in range(12):
        clock.pass_(seconds=LEASE_S / 4)
        session.beat()
        other.beat()
        assert other.reap() == ()
    assert not session.lost(proposal.token)
    session.end(proposal.token, ended(value=0.5))


def test_who_was_thought_dead_learns_it_at_its_next_sign_of_life(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    proposal = admit(session)
    session.report(proposal.token, epoch_report(1, 0.3))
    other = WorkerSession(storage, study, "w2", None, clock=clock)
    assert outlive(other, clock) == (proposal.number,)
    assert not session.lost(proposal.token)
    session.beat()
    assert session.lost(proposal.token)
    session.drop(proposal.token)
    dead = snapshot.trial(storage, study, proposal.number)
    assert (dead.state, dead.reason, dead.counts) == (TrialState.FAIL, Reason.KILLED, False)
    run(other)
    invariants.check_end(storage, study)


def test_of_two_that_see_a_death_one_takes_it_over(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    admit(session)
    others = [WorkerSession(storage, study, name, None, clock=clock) for name in ("w2", "w3")]
    for _ in range(6):
        for other in others:
            other.beat()
        clock.pass_(seconds=LEASE_S / 4)
    for other in others:
        other.beat()
    assert sorted(len(other.reap()) for other in others) == [0, 1]
    invariants.check(storage, study)


def test_an_admission_that_is_stopped_between_count_and_ask_for_longer_than_every_timeout_costs_no_budget(
    storage: Storage, study: StudyRow, clock: Clock
) -> None:
    """The holder's row counts while it lives and is freed once it counts as dead; after that it trains nothing."""
    other = WorkerSession(storage, study, "w2", None, clock=clock)

    def stopped(point: str) -> None:
        if point == "claimed":
            outlive(other, clock)
            clock.pass_(days=1)
            run(other)

    holder = WorkerSession(storage, study, "w", None, clock=clock, failpoint=stopped)
    assert holder.admit() is None
    assert other.finished() == "budget spent"
    holder.close()
    theirs = invariants.optuna_trials(storage, study)
    assert [trial.state.name for trial in theirs.values()] == ["COMPLETE"] * 3 + ["FAIL"]
    invariants.check_end(storage, study)


def test_the_lease_is_kept_by_the_databases_own_clock(storage: Storage, study: StudyRow) -> None:
    with WorkerSession(storage, study, "w", None) as session:
        proposal = admit(session)
        session.beat()
        claim = storage.read(lambda connection: claims.of_token(connection, proposal.token))
        [worker] = snapshot.status(storage, study).workers
        assert claim is not None
        assert (claim.beat, claim.worker_id is not None) == (1, True)
        assert claim.beat_at is not None
        assert abs(worker.seen_at - claim.beat_at) < timedelta(seconds=5)
        with pytest.raises(ClaimLost):
            session.report("another", epoch_report(1, 0.1))
