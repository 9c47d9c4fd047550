from __future__ import annotations

import math
import random
import warnings
from typing import Any, Literal

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.study.optuna_internals.hyperband import OrdinalHyperband
from hpo.study.search import pruning
from hpo.study.search.pruning import build_pruner, keeps_notes
from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import OptionValue
from hpo.studyfile.planning import rungs
from hpo.studyfile.schema import Method, Search
from tests.study.support import study_spec
from tests.studyfile.examples import required_of, value_of

METHODS = {
    Method(name, tuple(required_of(row).items())): getattr(optuna.pruners, row.optuna) for name, row in PRUNERS.items()
}


def test_every_pruner_of_the_table_has_its_class_here_and_no_other_is_here() -> None:
    assert set(pruning.CLASSES) == set(PRUNERS), "hpo.study.search.pruning.CLASSES"
    for name, row in PRUNERS.items():
        assert issubclass(pruning.CLASSES[name], getattr(optuna.pruners, row.optuna))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_pruner_is_built_without_a_warning(method: Method) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(build_pruner(study_spec(search=Search(pruner=method))), METHODS[method])


@pytest.mark.parametrize("name", PRUNERS)
def test_an_option_reaches_the_pruner_that_is_built(name: str) -> None:
    """Optuna keeps an argument under its name with an underscore in front."""
    for option, allowed in PRUNERS[name].options.items():
        if allowed.value is OptionValue.PRUNER:
            continue
        given = {**required_of(PRUNERS[name]), option: value_of(allowed)}
        built = build_pruner(study_spec(search=Search(pruner=Method(name, tuple(given.items())))))
        kept = {key.lstrip("_"): value for key, value in vars(built).items()}
        assert kept[option] == value_of(allowed), option


@pytest.mark.parametrize("name", PRUNERS)
def test_notes_are_kept_where_the_row_says_so_also_by_a_wrapped_pruner(name: str) -> None:
    own = Method(name, tuple(required_of(PRUNERS[name]).items()))
    patient = Method("patient", (("patience", 2), ("wrapped", own)))
    for method in (own, patient):
        assert keeps_notes(method) == PRUNERS[name].keeps_notes


@pytest.mark.parametrize("inner", ["hyperband", "median", "none"])
def test_the_patient_pruner_wraps_another(inner: str) -> None:
    patient = Method("patient", (("patience", 2), ("wrapped", Method(inner))))
    wrapped = build_pruner(study_spec(search=Search(pruner=patient)))._wrapped_pruner  # type: ignore[attr-defined]
    expected: dict[str, type] = {
        "hyperband": OrdinalHyperband,
        "median": optuna.pruners.MedianPruner,
        "none": type(None),
    }
    assert isinstance(wrapped, expected[inner])


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize(
    "method",
    [
        Method("median", (("n_startup_trials", 0), ("n_warmup_steps", 0))),
        Method("median", (("n_startup_trials", 4), ("n_warmup_steps", 2), ("n_min_trials", 3))),
        Method("percentile", (("percentile", 25.0), ("n_startup_trials", 1), ("n_warmup_steps", 1))),
        Method("percentile", (("percentile", 80.0), ("n_startup_trials", 1), ("interval_steps", 3))),
    ],
    ids=repr,
)
def test_median_and_percentile_answer_as_optunas(method: Method, direction: Literal["maximize", "minimize"]) -> None:
    """The decisions are equal at every step of every trial of a growing study with equal values, gaps and NaN."""
    kind = getattr(optuna.pruners, PRUNERS[method.name].optuna)
    ours, theirs = build_pruner(study_spec(search=Search(pruner=method))), kind(**_options(method))
    rng, study, answers = random.Random(repr(method)), optuna.create_study(direction=direction), []
    for _ in range(60):
        steps = sorted(rng.sample(range(1, 9), rng.randint(0, 8)))
        curve = {step: math.nan if rng.random() < 0.05 else round(rng.random(), 1) for step in steps}
        state = rng.choice([TrialState.COMPLETE] * 4 + [TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING])
        for asked in range(len(steps) + 1):
            part = dict(list(curve.items())[:asked])
            trial = create_trial(state=TrialState.RUNNING, intermediate_values=part)
            answers.append(ours.prune(study, trial))
            assert answers[-1] is bool(theirs.prune(study, trial)), (part, len(study.trials))
        value = 0.5 if state is TrialState.COMPLETE else None
        study.add_trial(create_trial(state=state, value=value, intermediate_values=curve))
    assert {True, False} == set(answers)


def _options(method: Method) -> dict[str, Any]:
    return rungs.pruner_options(study_spec(search=Search(pruner=method)))


def test_brackets_follow_the_ordinal_and_not_the_number() -> None:
    study = optuna.create_study(study_name="digits")
    ours, theirs = (
        kind(min_resource=1, max_resource=81) for kind in (OrdinalHyperband, optuna.pruners.HyperbandPruner)
    )
    trial = optuna.trial.create_trial(value=0.0)
    for pruner in (ours, theirs):
        pruner.prune(study, trial)  # both settle their brackets at the first question
    brackets = []
    for ordinal in range(40):
        retry = optuna.trial.create_trial(value=0.0, user_attrs={"ordinal": ordinal})
        retry.number = ordinal + 17
        first = optuna.trial.create_trial(value=0.0)
        first.number = ordinal
        brackets.append(ours._get_bracket_id(study, retry))
        assert brackets[-1] == theirs._get_bracket_id(study, first)
    assert len(set(brackets)) > 2
