"""Results that a study takes from earlier ones: proposals first, then trials that teach but do not count."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from hpo.study.database.storage import Storage
from hpo.study.optuna_internals.ended_trials import EndedTrials
from hpo.study.optuna_internals.history import SearchHistory
from hpo.study.optuna_internals.tpe import QuickTPE
from hpo.study.records import StudyRow, WarmStart
from hpo.study.search import warm
from hpo.study.search.sampling import distributions
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle, snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.studyfile.space import Space
from hpo.trial.vocabulary import Reason, Scalar
from tests.study.support import (
    CONDITIONAL,
    FACTS,
    IDENTITY,
    OUTSIDE,
    SPACE,
    begin,
    ended,
    epoch_report,
    run,
    study_spec,
)


@pytest.fixture
def earlier(storage: Storage) -> StudyRow:
    """Make a study of 14 trials, among them a baseline outside the space, a pruned one and a permanently failed one."""
    spec = study_spec("earlier", sampler="random", baseline=True, trials=14, retries=0)
    study = create_or_join(storage, spec, IDENTITY, FACTS)
    with WorkerSession(storage, study, "w", OUTSIDE) as session:
        for reason in (Reason.COMPLETE, Reason.PRUNED, Reason.CRASH):
            proposal = session.admit()
            assert proposal is not None
            begin(session, proposal)
            session.report(proposal.token, epoch_report(1, 0.1))
            session.end(proposal.token, ended(reason, 0.1 if reason is Reason.COMPLETE else None, 1))
        run(session)
    return study


def _begun(storage: Storage, earlier: StudyRow, sampler: str = "tpe", **warmth: object) -> StudyRow:
    facts = replace(FACTS, warm=WarmStart(**{"history": {earlier.uuid: warm.finished(storage, earlier)}, **warmth}))  # type: ignore[arg-type]
    return create_or_join(storage, study_spec("later", sampler=sampler, trials=3), IDENTITY, facts)


def test_finished_trials_of_the_space_teach(storage: Storage, earlier: StudyRow) -> None:
    assert warm.finished(storage, earlier) == [1, *range(3, 14)]  # 0 lies outside the space, 2 failed


def test_they_are_shown_before_the_studys_own_and_are_none_of_its_trials(storage: Storage, earlier: StudyRow) -> None:
    later = _begun(storage, earlier)
    known = warm.trials(storage, later)
    history = SearchHistory(storage, known)
    history.create_new_trial(later.id)
    shown = history.get_all_trials(later.id)
    assert [trial.number for trial in shown] == [*[-1] * 12, 0]
    originals = [trial for trial in storage.optuna.get_all_trials(earlier.id) if trial.number in (1, *range(3, 14))]
    for taken, original in zip(shown, originals, strict=False):
        assert (taken.params, taken.state, taken.values, taken.intermediate_values) == (
            original.params,
            original.state,
            original.values,
            original.intermediate_values,
        )
    assert len(history.get_all_trials(later.id, states=(TrialState.PRUNED,))) == 1
    assert len(SearchHistory(storage, known).get_all_trials(earlier.id)) == 12  # by its own rules, with nothing added
    assert [trial.number for trial in storage.optuna.get_all_trials(later.id)] == [0]


def test_the_sampler_goes_on_where_the_earlier_study_ended(storage: Storage, earlier: StudyRow) -> None:
    """TPE draws its first ten trials at random; with twelve known ones it draws none at random. The budget is
    complete.
    """

    def proposals(study: StudyRow) -> list[object]:
        with WorkerSession(storage, study, "w", None) as session:
            run(session)
        return [row.params for row in snapshot.trials(storage, study)]

    cold = create_or_join(storage, study_spec("cold", sampler="tpe", trials=3), IDENTITY, FACTS)
    random = create_or_join(storage, study_spec("random", sampler="random", trials=3), IDENTITY, FACTS)
    later = _begun(storage, earlier)
    at_random, informed = proposals(random), proposals(later)
    assert proposals(cold)[0] == at_random[0]
    assert informed[0] != at_random[0]
    assert snapshot.status(storage, later).budget.counted == 3
    assert len(informed) == 3
    best = snapshot.status(storage, later).best
    assert best is not None
    assert best.params in informed


@pytest.mark.parametrize(
    ("sampler", "learns"),
    [
        ("tpe", True),
        pytest.param("gp", True, marks=pytest.mark.long),
        ("cmaes", None),
        ("qmc", None),
        ("nsga2", False),
        ("random", False),
    ],
)
@pytest.mark.parametrize("space", [SPACE, CONDITIONAL], ids=["plain", "conditions"])
def test_every_sampler_takes_a_history(storage: Storage, sampler: str, learns: bool | None, space: Space) -> None:
    """``learns`` is None if the sampler gets no earlier trials but starts its own sequence sooner."""
    spec = study_spec("earlier", trials=12, space=space)
    earlier = create_or_join(storage, spec, IDENTITY, FACTS)
    with WorkerSession(storage, earlier, "w", None) as session:
        run(session)
    first = []
    for name, history in (("cold", {}), ("later", {earlier.uuid: warm.finished(storage, earlier)})):
        asked = study_spec(name, sampler=sampler, trials=3, space=space)
        study = create_or_join(storage, asked, IDENTITY, replace(FACTS, warm=WarmStart(history=history)))
        with WorkerSession(storage, study, "w", None) as session:
            run(session)
        assert snapshot.status(storage, study).budget.counted == 3
        first.append(snapshot.trials(storage, study)[0].params)
    if learns is not None:
        assert (first[0] != first[1]) is learns


def test_what_all_trials_have_in_common_is_found_among_earlier_ones_too(storage: Storage) -> None:
    """A sampler of joint distributions must not treat a conditional parameter of the last trial as one of all
    trials.
    """
    spec = study_spec("earlier", trials=12, space=CONDITIONAL)
    earlier = create_or_join(storage, spec, IDENTITY, FACTS)
    with WorkerSession(storage, earlier, "w", None) as session:
        run(session)
    later = _begun(storage, earlier)
    history = SearchHistory(storage, warm.trials(storage, later))
    shown = history.get_all_trials(later.id)
    assert {len(trial.params) for trial in shown} == {2, 3}
    sampler = history.with_known_space(TPESampler(multivariate=True))
    study = optuna.load_study(study_name="later", storage=history, sampler=sampler)
    assert set(sampler.infer_relative_search_space(study, shown[-1])) == {"lr0", "optimizer"}


def test_tpe_proposes_what_optunas_would_from_the_same_history(storage: Storage, earlier: StudyRow) -> None:
    later = _begun(storage, earlier)
    history = SearchHistory(storage, warm.trials(storage, later))
    trial = history.own(history.create_new_trial(later.id))
    space = distributions(later.spec.space)
    found = []
    for sampler in (TPESampler(seed=5), QuickTPE(ended=EndedTrials(), seed=5)):
        study = optuna.load_study(study_name="later", storage=history, sampler=sampler)
        found.append(sampler._sample(study, trial, space))
    assert found[0] == found[1]


@pytest.mark.parametrize("pruner", ["median", "sha", "hyperband"])
def test_a_pruner_compares_with_earlier_curves(storage: Storage, pruner: str) -> None:
    """The first trial of a warm study is pruned if it is far behind; a cold study has nothing to compare it with."""
    spec = study_spec("earlier", pruner=pruner, trials=20)
    earlier = create_or_join(storage, spec, IDENTITY, FACTS)
    with WorkerSession(storage, earlier, "w", None) as session:
        for _ in range(20):
            proposal = session.admit()
            assert proposal is not None
            begin(session, proposal)
            for epoch in range(1, 11):
                session.report(proposal.token, epoch_report(epoch, 0.5 + epoch / 100))
            session.end(proposal.token, ended(value=0.6 + proposal.number / 1000))

    def first_is_pruned(study: StudyRow) -> bool:
        with WorkerSession(storage, study, "w", None) as session:
            proposal = session.admit()
            assert proposal is not None
            begin(session, proposal)
            return any(session.report(proposal.token, epoch_report(epoch, 0.01)) for epoch in range(1, 11))

    facts = replace(FACTS, warm=WarmStart(history={earlier.uuid: warm.finished(storage, earlier)}))
    warmed = create_or_join(storage, replace(spec, name="later"), IDENTITY, facts)
    cold = create_or_join(storage, replace(spec, name="cold"), IDENTITY, FACTS)
    assert (first_is_pruned(warmed), first_is_pruned(cold)) == (True, False)


def test_proposals_come_after_those_of_the_file(storage: Storage, earlier: StudyRow) -> None:
    taken: dict[str, Scalar] = {"lr0": 0.002, "mosaic": 0.25, "batch": 8}
    facts = replace(FACTS, warm=WarmStart(proposals=[taken, {"lr0": 0.003}]))
    spec = study_spec("later", trials=4, enqueue=((("lr0", 0.05),),))
    study = create_or_join(storage, spec, IDENTITY, facts)
    with WorkerSession(storage, study, "w", None) as session:
        run(session)
    rows = snapshot.trials(storage, study)
    assert rows[0].params["lr0"] == 0.05
    assert rows[1].params == taken
    assert rows[2].params["lr0"] == 0.003


def test_what_was_taken_over_stays_as_it_was(storage: Storage, earlier: StudyRow) -> None:
    later = _begun(storage, earlier, told=["earlier: said"])
    assert lifecycle.load(storage, "later").facts.warm == later.facts.warm
    lifecycle.set_weights(storage, later, "mlflow-artifacts:/w.pt")
    assert lifecycle.load(storage, "later").facts.warm == later.facts.warm
    joined = create_or_join(storage, later.spec, IDENTITY, FACTS)  # another node: it reads no earlier study
    assert joined.facts.warm.told == ["earlier: said"]
    lifecycle.delete(storage, "earlier")
    assert warm.trials(storage, joined) == {later.id: []}
    with WorkerSession(storage, joined, "w", None) as session:
        run(session)
    assert snapshot.status(storage, joined).budget.counted == 3
