"""The claims of a dead worker are settled once, by the next worker that looks."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.messages import encode
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.session import invariants
from tests.study.support import (
    Clock,
    admit,
    admit_only,
    ended,
    outlive,
    run,
    train,
)


def test_a_result_that_was_not_told_is_told_and_not_trained_again(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path, clock: Clock
) -> None:
    proposal = admit(session, tmp_path)
    (tmp_path / "ended.json").write_bytes(encode(ended(value=0.7)))
    successor = WorkerSession(storage, study, "w2", None, clock=clock)
    assert outlive(successor, clock) == (proposal.number,)
    assert snapshot.trial(storage, study, proposal.number).value == 0.7
    assert [next_one.ordinal for next_one in run(successor)] == [1, 2]
    invariants.check_end(storage, study)


@pytest.mark.parametrize("damage", [b"", b'{"kind": "Ended"', b'{"kind": "Nothing"}', b"[]", b'{"kind": "Ended"}'])
def test_a_damaged_result_is_a_death(
    storage: Storage, study: StudyRow, session: WorkerSession, tmp_path: Path, clock: Clock, damage: bytes
) -> None:
    proposal = admit(session, tmp_path)
    (tmp_path / "ended.json").write_bytes(damage)
    successor = WorkerSession(storage, study, "w2", None, clock=clock)
    outlive(successor, clock)
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.state, row.reason, row.counts) == (TrialState.FAIL, Reason.KILLED, False)
    run(successor)
    invariants.check_end(storage, study)


def test_a_dead_attempt_ended_when_it_last_showed_life(storage: Storage, study: StudyRow, clock: Clock) -> None:
    session = WorkerSession(storage, study, "w", None, clock=clock)
    proposal = admit(session)
    clock.pass_(minutes=3)
    session.beat()
    died_at = clock.now
    clock.pass_(days=3)
    outlive(WorkerSession(storage, study, "w2", None, clock=clock), clock)
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.finished, row.duration_s) == (died_at, 180.0)


def test_reaping_a_healthy_study_does_nothing(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    train(session, admit_only(session))
    session.give_back(admit(session).token, 0, None)
    before = snapshot.trials(storage, study)
    assert session.reap() == ()
    assert snapshot.trials(storage, study) == before


def test_a_trial_that_someone_ended_with_other_tools_is_tried_again(
    storage: Storage, owners: Storage, study: StudyRow, session: WorkerSession
) -> None:
    proposal = admit(session)
    session.give_back(proposal.token, 0, None)
    theirs = optuna.load_study(study_name="digits", storage=owners.optuna)
    theirs.ask()
    theirs.tell(proposal.number, state=optuna.trial.TrialState.FAIL)
    session.reap()
    run(session)
    invariants.check_end(storage, study)


def test_a_result_in_a_folder_of_the_same_path_that_another_attempt_wrote_is_not_told(
    storage: Storage, study: StudyRow, clock: Clock, tmp_path: Path
) -> None:
    """The files belong to a deleted study of the same name, or to another machine with the same paths."""
    dead = admit(WorkerSession(storage, study, "dead", None, clock=clock), tmp_path)
    AttemptPaths(tmp_path).claim("the token of another attempt")
    (tmp_path / "ended.json").write_bytes(encode(ended(value=0.7)))
    outlive(WorkerSession(storage, study, "w", None, clock=clock), clock)
    row = snapshot.trial(storage, study, dead.number)
    assert (row.reason, row.value) == (Reason.KILLED, None)
    invariants.check(storage, study)
