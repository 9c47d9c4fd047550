"""A worker's query after each trial gives the same result as reading all trials."""

from __future__ import annotations

import dataclasses

import pytest

from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import leaderboard, snapshot
from hpo.studyfile.schema import Keep
from hpo.trial.vocabulary import Reason
from tests.study.support import MakeStudy, admit, ended, study_spec

VALUES = [0.3, 0.5, None, 0.4, 0.4, None, 0.1]
"""Values of the trials; None stands for a pruned one."""


@pytest.fixture
def study(storage: Storage, make_study: MakeStudy) -> StudyRow:
    """Make seven ended trials, one that runs, and a dead one with its retry."""
    made = make_study(dataclasses.replace(study_spec(trials=9, retries=2), keep=Keep(weights=3)))
    session = WorkerSession(storage, made, "w", None)
    for number, value in enumerate(VALUES):
        proposal = admit(session, f"/runs/{number}")
        session.end(proposal.token, ended(Reason.PRUNED if value is None else Reason.COMPLETE, value, 3))
    admit(session)
    session.end(admit(session).token, ended(Reason.CRASH, None, 1))
    return made


@pytest.mark.parametrize("batch", [2, 500])
def test_the_best_and_the_ended_are_told_apart(
    storage: Storage, study: StudyRow, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.study.studies.leaderboard._A_BATCH", batch)
    rows = snapshot.trials(storage, study)
    assert [row.ordinal for row in rows] == [*range(9), 8]
    found = leaderboard.placement(storage, study, [*range(len(rows)), 99])
    best = snapshot.best_first(rows)[:3]
    assert [row.number for row in best] == [1, 3, 4]  # of equal ones, the earlier one
    assert found.best == {row.number: row.folder for row in best}
    assert found.ended == set(range(7))  # not the running one, the dead one, its retry, and an unknown one
    assert leaderboard.placement(storage, study, [5]).ended == {5}
    assert leaderboard.placement(storage, study, []).ended == set()


def test_the_best_value_is_that_of_complete_trials(storage: Storage, study: StudyRow, make_study: MakeStudy) -> None:
    assert leaderboard.best_value(storage, study) == 0.5
    assert leaderboard.best_value(storage, make_study(study_spec("other", trials=3))) is None
