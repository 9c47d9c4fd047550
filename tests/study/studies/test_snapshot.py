from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from optuna_dashboard import wsgi
from sqlalchemy import update

from hpo.errors import UsageError
from hpo.study.database import tables
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.status import StudyState
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import Reason, TrialState
from tests.study.filling import fill
from tests.study.support import MakeStudy, begin, ended, epoch_report, run, study_spec


def test_a_study_is_empty_then_running_then_waiting_then_finished(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=2))
    empty = snapshot.status(storage, study)
    assert (empty.state, empty.best, empty.workers) == (StudyState.EMPTY, None, ())
    with WorkerSession(storage, study, "w", None) as session:
        run(session, at_most=1)
        proposal = session.admit()
        assert proposal is not None
        begin(session, proposal)
        running = snapshot.status(storage, study)
        assert (running.state, running.finished) == (StudyState.RUNNING, None)
        assert [(worker.worker, worker.number) for worker in running.workers] == [("w", proposal.number)]
        assert (running.counts[TrialState.COMPLETE], running.counts[TrialState.RUNNING]) == (1, 1)
        assert (running.budget.issued, running.budget.counted, running.budget.trials) == (2, 1, 2)
    assert snapshot.status(storage, study).state is StudyState.WAITING
    with WorkerSession(storage, study, "w", None) as session:
        session.reap()
        run(session)
    over = snapshot.status(storage, study)
    assert (over.state, over.finished, over.workers) == (StudyState.FINISHED, "budget spent", ())
    assert over.counts == {
        TrialState.WAITING: 0,
        TrialState.RUNNING: 0,
        TrialState.COMPLETE: 2,
        TrialState.PRUNED: 0,
        TrialState.FAIL: 1,
    }


def test_a_worker_that_was_not_seen_for_two_leases_does_not_live(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec())
    WorkerSession(storage, study, "w", None)
    assert len(snapshot.status(storage, study).workers) == 1
    long_ago = datetime.now(UTC) - timedelta(seconds=2 * study.spec.recovery.lease_s + 1)
    storage.write(lambda connection: connection.execute(update(tables.workers).values(seen_at=long_ago)))
    assert snapshot.status(storage, study).workers == ()


def test_the_best_is_the_largest_value_and_the_lowest_number_among_equals(
    storage: Storage, make_study: MakeStudy
) -> None:
    study = make_study(study_spec(trials=5))
    with WorkerSession(storage, study, "w", None) as session:
        for value in (0.2, 0.7, 0.7, None, 0.1):
            proposal = session.admit()
            assert proposal is not None
            begin(session, proposal)
            session.end(proposal.token, ended(Reason.PRUNED if value is None else Reason.COMPLETE, value))
    best = snapshot.status(storage, study).best
    assert best is not None
    assert (best.number, best.value) == (1, 0.7)


def test_epochs_of_a_running_trial_are_those_reported(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec())
    with WorkerSession(storage, study, "w", None) as session:
        proposal = session.admit()
        assert proposal is not None
        begin(session, proposal)
        diverging = dataclasses.replace(epoch_report(1, 0.5), objective=float("nan"))
        session.report(proposal.token, diverging)
        session.report(proposal.token, epoch_report(2, 0.5))
    assert snapshot.trial(storage, study, proposal.number).epochs == 2
    first, second = snapshot.epochs(storage, study, proposal.number)
    assert str(first.objective) == "nan"
    assert (first.metrics, second.objective, first.seconds) == (diverging.metrics, 0.5, 1.5)
    assert first.recorded_at == datetime.fromtimestamp(diverging.recorded_at, UTC)


def test_an_unknown_trial_is_an_error(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec())
    with pytest.raises(UsageError, match="no trial 7"):
        snapshot.trial(storage, study, 7)
    assert snapshot.epochs(storage, study, 7) == []


def test_the_projection_remembers_its_run(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=2))
    with WorkerSession(storage, study, "w", None) as session:
        run(session)
    snapshot.set_mlflow_run(storage, study, 1, "abc")
    assert [row.mlflow_run_id for row in snapshot.trials(storage, study)] == [None, "abc"]


def test_optunas_own_command_line_reads_the_study(storage: Storage, make_study: MakeStudy) -> None:
    with WorkerSession(storage, make_study(study_spec(trials=3)), "w", None) as session:
        run(session)
    url = storage.url.render_as_string(hide_password=False)
    optuna = Path(sys.executable).with_name("optuna")
    command = [str(optuna), "trials", "--study-name", "digits", "--storage", url, "-f", "json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert listed.count('"state": "COMPLETE"') == 3
    assert all(name in listed for name in ('"lr0": ', '"mosaic": ', '"batch": ', '"ordinal": 2'))


def test_optunas_dashboard_reads_the_study(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(trials=2))
    with WorkerSession(storage, study, "w", None) as session:
        run(session)
    environ: dict[str, Any] = {"PATH_INFO": f"/api/studies/{study.id}"}
    setup_testing_defaults(environ)
    status: list[str] = []
    body = b"".join(wsgi(storage.optuna)(environ, lambda answer, *_: status.append(answer)))
    assert status == ["200 OK"]
    answer = json.loads(body)
    assert [trial["state"] for trial in answer["trials"]] == ["Complete", "Complete"]
    assert {attribute["key"] for attribute in answer["user_attrs"]} >= {"spec_sha256", "data_fingerprint"}


def test_some_trials_are_the_newest_or_the_best_and_the_best_of_all(storage: Storage, study: StudyRow) -> None:
    fill(storage, study, 30, 1)
    everything = snapshot.trials(storage, study)
    best = snapshot.best(everything)
    assert best is not None
    newest, total = snapshot.some_trials(storage, study, 4, by_value=False)
    assert (total, {row.number for row in newest}) == (30, {26, 27, 28, 29, best.number})
    by_value, _ = snapshot.some_trials(storage, study, 4, by_value=True)
    assert {row.number for row in by_value} == {row.number for row in snapshot.best_first(everything)[:4]}
    assert snapshot.some_trials(storage, study, 30, by_value=False) == (everything, 30)
