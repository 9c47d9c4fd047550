"""A study with swept post-processing: its search space, and the stored results of its sweeps."""

from __future__ import annotations

import json
from dataclasses import replace

import optuna
import pytest
from sqlalchemy import column, table, update

from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.recording import Place
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.studyfile.planning import grid
from hpo.studyfile.planning.plan import BaselinePlan
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Dimension, FloatRange, Space
from hpo.trial.kinds import Kind
from hpo.trial.operating_point import DEFAULT, OperatingPoint
from hpo.trial.vocabulary import Postprocess, Reason
from tests.study.support import INSIDE, MakeStudy, admit, ended, run, study_spec
from tests.support import swept

SPACE = Space(
    (
        Dimension("lr0", FloatRange(1e-4, 1e-1, log=True)),
        Dimension("iou", FloatRange(0.4, 0.7)),
        Dimension("agnostic_nms", Choices((False, True))),
    ),
    (("conf", 0.3),),
)


def _spec(**changes: object) -> StudySpec:
    return study_spec(space=SPACE, postprocess=Postprocess.SWEPT, **changes)  # type: ignore[arg-type]


@pytest.fixture
def study(make_study: MakeStudy) -> StudyRow:
    return make_study(_spec())


def test_optuna_never_sees_what_is_swept(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    assert [set(proposal.params) for proposal in run(session)] == [{"lr0"}] * 5
    trials = storage.call_optuna(lambda rdb: optuna.load_study(study_name=study.name, storage=rdb)).trials
    assert [set(trial.distributions) for trial in trials] == [{"lr0"}] * 5


def test_a_grid_is_over_what_is_searched() -> None:
    stepped = Space((Dimension("mosaic", FloatRange(0.0, 1.0, step=0.5)), *SPACE.dimensions[1:]))
    spec = study_spec(sampler="grid", space=stepped, postprocess=Postprocess.SWEPT)
    assert sorted(str(point["mosaic"]) for point in grid.points(spec)) == ["0.0", "0.5", "1.0"]
    assert all(set(point) == {"mosaic"} for point in grid.points(spec))


def test_what_a_sweep_found_is_kept_whole(storage: Storage, study: StudyRow, session: WorkerSession) -> None:
    found = swept(OperatingPoint(0.45, 0.37, kind=Kind.AGNOSTIC))
    proposal = admit(session)
    session.end(
        proposal.token,
        replace(ended(value=found.value), operating_point=found.best.point, swept=found),
    )
    row = snapshot.trial(storage, study, proposal.number)
    assert row.operating_point == found.best.point
    assert row.sweep == found
    assert row.value == found.value


@pytest.mark.parametrize("reason", [Reason.PRUNED, Reason.DIVERGED, Reason.CRASH])
def test_a_trial_that_is_not_complete_has_no_operating_point(
    storage: Storage, study: StudyRow, session: WorkerSession, reason: Reason
) -> None:
    proposal = admit(session)
    session.end(proposal.token, ended(reason))
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.operating_point, row.sweep) == (None, None)


def test_where_the_sweep_failed_the_trial_was_measured_at_the_defaults(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    proposal = admit(session)
    session.end(proposal.token, ended(value=0.4, detail="measured at Ultralytics' defaults, because ..."))
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.operating_point, row.sweep, row.value) == (DEFAULT, None, 0.4)


def test_the_baseline_keeps_the_defaults_that_it_is_measured_at(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(_spec(baseline=True))
    plan: BaselinePlan = replace(INSIDE, params={"lr0": 0.01}, in_space=False, operating_point=DEFAULT)
    with WorkerSession(storage, study, "w", plan) as session:
        proposal = session.admit()
        assert proposal is not None
        assert proposal.baseline
        session.begin(proposal.token, {"epochs": 10}, DEFAULT, Place("/attempt"), 0)
        assert snapshot.trial(storage, study, proposal.number).operating_point == DEFAULT
        session.end(proposal.token, ended(value=0.4))
    row = snapshot.trial(storage, study, proposal.number)
    assert (row.operating_point, row.sweep) == (DEFAULT, None)


def test_an_operating_point_that_was_stored_before_there_were_kinds_is_read(
    storage: Storage, study: StudyRow, session: WorkerSession
) -> None:
    proposal = admit(session)
    old = {"iou": 0.6, "conf": 0.3, "max_det": 100, "agnostic_nms": True}
    raw = update(table("hpo_trials", column("operating_point"))).values(operating_point=json.dumps(old))
    storage.write(lambda connection: connection.execute(raw))
    row = snapshot.trial(storage, study, proposal.number)
    assert row.operating_point == OperatingPoint(0.6, 0.3, 100, Kind.AGNOSTIC)
