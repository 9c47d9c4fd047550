"""Out of memory beside other trials, with only a database."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hpo.study.database.storage import Storage
from hpo.study.records import Exclusive, Proposal, StudyRow
from hpo.study.session.recording import Place
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.messages import Ended, encode
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import invariants
from tests.study.support import Clock, admit_only, ended, epoch_report, outlive, run


def begin_on(session: WorkerSession, device: str, folder: Path | str = "/attempt") -> Proposal:
    proposal = admit_only(session)
    if Path(folder).is_dir():
        AttemptPaths(Path(folder)).claim(proposal.token)
    session.begin(proposal.token, {"epochs": 10}, None, Place(str(folder), device), proposal.resume_epoch)
    return proposal


def full(clock: Clock, reason: Reason = Reason.OOM) -> Ended:
    clock.pass_(seconds=1)
    return dataclasses.replace(ended(reason, epochs=1), recorded_at=clock().timestamp())


@pytest.mark.parametrize(
    "ends",
    [
        (Reason.OOM, ("0", "0"), Exclusive.DEVICE),
        (Reason.OOM, ("0", "auto"), Exclusive.DEVICE),
        (Reason.OOM, ("auto", "0"), Exclusive.DEVICE),
        (Reason.OOM, ("0", "1"), None),
        (Reason.HOST_OOM, ("0", "1"), Exclusive.MACHINE),
    ],
)
def test_beside_another_trial_it_is_put_back_once(
    storage: Storage,
    study: StudyRow,
    session: WorkerSession,
    clock: Clock,
    ends: tuple[Reason, tuple[str, str], Exclusive | None],
) -> None:
    reason, devices, again = ends
    first, beside = (begin_on(session, device) for device in devices)
    session.report(first.token, epoch_report(1, 0.3))
    reaction = session.end(first.token, full(clock, reason))
    invariants.check(storage, study)
    if again is None:
        assert (reaction.state, reaction.counts) == (TrialState.PRUNED, True)
        return
    assert (reaction.state, reaction.counts, reaction.retry) == (TrialState.WAITING, False, False)
    alone = begin_on(session, devices[0])
    assert (alone.number, alone.attempt, alone.exclusive) == (first.number, 2, again)
    assert alone.retries_left == first.retries_left
    session.report(alone.token, epoch_report(1, 0.3))
    reaction = session.end(alone.token, full(clock, reason))  # the other one still runs: one failure is enough
    assert reaction.state is (TrialState.PRUNED if reason is Reason.OOM else TrialState.FAIL)
    reasons = [attempt.reason for attempt in snapshot.trial(storage, study, first.number).attempts]
    assert reasons == [reason, reason]
    session.end(beside.token, ended(value=0.5))
    run(session)
    invariants.check_end(storage, study)


def test_alone_it_is_told_at_once(storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock) -> None:
    before = begin_on(session, "0")
    session.end(before.token, dataclasses.replace(full(clock), reason=Reason.PRUNED))
    clock.pass_(seconds=1)
    proposal = begin_on(session, "0")
    assert proposal.exclusive is Exclusive.NOTHING
    assert session.end(proposal.token, full(clock)).state is TrialState.PRUNED
    invariants.check(storage, study)


def test_the_result_of_a_dead_worker_that_says_so_is_put_back_too(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock, tmp_path: Path
) -> None:
    dead = begin_on(session, "0", tmp_path)
    begin_on(session, "0")
    (tmp_path / "ended.json").write_bytes(encode(full(clock)))
    other = WorkerSession(storage, study, "w2", None, clock=clock)
    outlive(other, clock)
    row = snapshot.trial(storage, study, dead.number)
    assert (row.state, row.attempts[0].reason) == (TrialState.WAITING, Reason.OOM)
    invariants.check(storage, study)
    assert admit_only(other).exclusive is Exclusive.DEVICE


def test_one_that_was_put_back_may_be_declined(
    storage: Storage, study: StudyRow, session: WorkerSession, clock: Clock
) -> None:
    first = begin_on(session, "0")
    begin_on(session, "0")
    session.end(first.token, full(clock))
    declined = admit_only(session)
    session.decline(declined.token)
    row = snapshot.trial(storage, study, first.number)
    assert (row.state, len(row.attempts)) == (TrialState.WAITING, 1)
    again = admit_only(session)
    assert (again.number, again.attempt, again.exclusive) == (first.number, 2, Exclusive.DEVICE)
    invariants.check(storage, study)
