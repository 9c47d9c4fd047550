from __future__ import annotations

import warnings
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import StudyRow
from hpo.study.search import sampling
from hpo.study.session.worker_session import WorkerSession
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.schema import Method, Search
from hpo.studyfile.space import Choices, Condition, Dimension, Domain, FloatRange, IntRange, Space, contains
from tests.study.support import (
    CONDITIONAL,
    INSIDE,
    OUTSIDE,
    SPACE,
    MakeStudy,
    begin,
    epoch_report,
    params_of,
    run,
    study_spec,
)

STEPPED = Space((Dimension("lr0", FloatRange(0.0, 1.0, step=0.1)), Dimension("batch", IntRange(4, 16, step=4))))
FEW = {"n_startup_trials": 3, "popsize": 4, "population_size": 3}
"""Options with which a short study gets beyond its first, random values."""
TRIALS = 11
EACH = [pytest.param(name, marks=pytest.mark.long if name == "gp" else ()) for name in SAMPLERS]
"""A Gaussian process takes seconds of CPU time for a study."""


def _method(sampler: str) -> Method:
    few = {option: value for option, value in FEW.items() if option in SAMPLERS[sampler].options}
    return Method(sampler, tuple(few.items()))


def test_every_sampler_of_the_table_is_built_here_and_no_other_is() -> None:
    assert set(sampling.CLASSES) == set(SAMPLERS), "hpo.study.search.sampling.CLASSES"


def _spec(sampler: str, name: str, seed: int = 7) -> Any:
    search = Search(sampler=_method(sampler), pruner=Method("none"), seed=seed)
    space = STEPPED if sampler == "grid" else SPACE
    return study_spec(name, search=search, space=space, trials=TRIALS, baseline=sampler != "grid")


@pytest.mark.parametrize("sampler", EACH)
def test_what_is_proposed_is_of_pythons_own_types(storage: Storage, make_study: MakeStudy, sampler: str) -> None:
    """Ultralytics refuses numpy's numbers, or accepts them and fails when it writes args.yaml."""
    with WorkerSession(storage, make_study(_spec(sampler, "types")), "w", INSIDE) as session:
        proposals = params_of(run(session, at_most=8))
    assert {type(value) for params in proposals for value in params.values()} == {int, float}


@pytest.mark.parametrize("sampler", EACH)
def test_one_seed_gives_one_sequence_also_across_a_stop_and_a_restart(
    storage: Storage, make_study: MakeStudy, sampler: str
) -> None:
    straight, broken, other = (
        make_study(_spec(sampler, name, seed)) for name, seed in (("straight", 7), ("broken", 7), ("other", 8))
    )
    with WorkerSession(storage, straight, "w", INSIDE) as session:
        expected = params_of(run(session))
    proposals = []
    with WorkerSession(storage, broken, "w", INSIDE) as session:
        proposals += run(session, at_most=6)
        stopped = session.admit()
        assert stopped is not None
        begin(session, stopped)
        session.report(stopped.token, epoch_report(1, 0.1))
        session.give_back(stopped.token, 1, None)
    url = storage.url.render_as_string(hide_password=False)
    with open_storage(url, create=False) as reopened, WorkerSession(reopened, broken, "w2", INSIDE) as session:
        session.reap()
        proposals += run(session)
    assert params_of(proposals) == expected
    assert len(expected) == TRIALS
    with WorkerSession(storage, other, "w", INSIDE) as session:
        assert params_of(run(session))[1:] != expected[1:]


def test_values_are_pythons_own_types_and_lie_in_their_domains(storage: Storage, make_study: MakeStudy) -> None:
    space = Space((*SPACE.dimensions, Dimension("cos_lr", Choices((True, False, None, "x", 3)))), (("lrf", 0.1),))
    with WorkerSession(storage, make_study(study_spec(space=space, trials=8)), "w", None) as session:
        for params in params_of(run(session)):
            assert list(params) == ["lr0", "mosaic", "batch", "cos_lr"]
            assert [type(params[name]) for name in ("lr0", "mosaic", "batch")] == [float, float, int]
            for dimension in space.dimensions:
                assert contains(dimension.domain, params[dimension.name])


def test_a_conditional_dimension_is_asked_only_where_its_condition_holds(
    storage: Storage, make_study: MakeStudy
) -> None:
    study = make_study(study_spec(sampler="tpe", space=CONDITIONAL, trials=16))
    with WorkerSession(storage, study, "w", None) as session:
        seen = params_of(run(session))
    assert {params["optimizer"] for params in seen} == {"SGD", "AdamW"}
    assert all(("warmup_momentum" in params) == (params["optimizer"] == "SGD") for params in seen)


def test_a_condition_on_a_fixed_value_holds(storage: Storage, make_study: MakeStudy) -> None:
    momentum = Dimension("warmup_momentum", FloatRange(0.0, 0.9), (Condition("optimizer", ("SGD",)),))
    study = make_study(study_spec(space=Space((momentum,), (("optimizer", "SGD"),)), trials=1))
    with WorkerSession(storage, study, "w", None) as session:
        assert list(run(session)[0].params) == ["warmup_momentum"]
    assert list(_optuna_trials(storage, study)[0].params) == ["warmup_momentum"]


def test_building_samplers_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in SAMPLERS:
            sampling.build_sampler(study_spec(search=Search(sampler=_method(name)), space=CONDITIONAL), 3)
        sampling.distributions(Space((Dimension("lr0", FloatRange(0.0, 1.0, step=0.3)),)))


@pytest.mark.parametrize(("space", "grouped"), [(SPACE, False), (CONDITIONAL, True)])
def test_tpe_groups_dimensions_where_there_are_conditions(space: Space, grouped: bool) -> None:
    assert sampling.build_sampler(study_spec(sampler="tpe", space=space), 0)._group is grouped  # type: ignore[attr-defined]


def test_enqueued_proposals_come_in_order_and_are_filled_up(storage: Storage, make_study: MakeStudy) -> None:
    whole = (("lr0", 0.02), ("mosaic", 0.5), ("batch", 8))
    study = make_study(study_spec(sampler="tpe", enqueue=(whole, (("lr0", 0.05),)), trials=3, baseline=True))
    with WorkerSession(storage, study, "w", INSIDE) as session:
        first, second, third = params_of(run(session))
    assert first == INSIDE.params
    assert second == dict(whole)
    assert third["lr0"] == 0.05
    assert list(third) == ["lr0", "mosaic", "batch"]


def test_a_baseline_outside_the_space_is_a_trial_for_people_and_none_for_samplers(
    storage: Storage, make_study: MakeStudy
) -> None:
    study = make_study(study_spec(sampler="tpe", pruner="hyperband", baseline=True, trials=3))
    with WorkerSession(storage, study, "w", OUTSIDE) as session:
        proposals = run(session)
        assert [trial.number for trial in session._context.plain.get_trials()] == [1, 2]
        assert proposals[0].params == OUTSIDE.params
    baseline = _optuna_trials(storage, study)[0]
    assert baseline.state == optuna.trial.TrialState.COMPLETE
    assert baseline.value is not None
    attributes = {"ordinal": 0, "baseline": True, "outside_space": True}
    assert {name: value for name, value in baseline.user_attrs.items() if name != "claim"} == attributes
    assert baseline.params == {"mosaic": 1.0, "batch": 16}  # lr0 0.9 lies outside its range


def test_a_baseline_inside_the_space_teaches_the_sampler(storage: Storage, make_study: MakeStudy) -> None:
    study = make_study(study_spec(sampler="tpe", baseline=True, trials=2))
    with WorkerSession(storage, study, "w", INSIDE) as session:
        run(session)
        assert [trial.number for trial in session._context.plain.get_trials()] == [0, 1]
    assert _optuna_trials(storage, study)[0].params == INSIDE.params


FLOATS = st.floats(1e-6, 1e3)


@st.composite
def domains(draw: st.DrawFn) -> Domain:
    kind = draw(st.sampled_from(["float", "log", "step", "int", "int-log", "choices"]))
    if kind == "step":
        start, ticks, step = draw(st.integers(0, 99)), draw(st.integers(1, 20)), draw(st.integers(1, 99))
        return FloatRange(start / 100, (start + ticks * step) / 100, step=step / 100)
    if kind in ("float", "log"):
        low, high = sorted((draw(FLOATS), draw(FLOATS)))
        return FloatRange(low, high, log=kind == "log")
    if kind.startswith("int"):
        low_, high_ = sorted((draw(st.integers(1, 99)), draw(st.integers(1, 99))))
        step_ = 1 if kind == "int-log" else draw(st.integers(1, 5))
        return IntRange(low_, high_, log=kind == "int-log", step=step_)
    return Choices(tuple(draw(st.lists(st.sampled_from(["a", "b", 1, 2.5, None]), min_size=1, unique=True))))


@given(domain=domains(), seed=st.integers(0, 99))
def test_a_sample_lies_in_its_domain(domain: Domain, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    params = sampling.suggest(study.ask(), Space((Dimension("x", domain),)))
    assert contains(domain, params["x"])


def _optuna_trials(storage: Storage, study: StudyRow) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study.name, storage=storage.optuna).get_trials()
