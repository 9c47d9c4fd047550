from __future__ import annotations

import warnings

import optuna
import pytest

from hpo.spec.schema import Method, Search
from hpo.study.pruning import OrdinalHyperband, build_pruner
from tests.study.support import study_spec

PRUNERS = {
    Method("hyperband"): optuna.pruners.HyperbandPruner,
    Method("sha"): optuna.pruners.SuccessiveHalvingPruner,
    Method("median"): optuna.pruners.MedianPruner,
    Method("percentile", (("percentile", 25.0),)): optuna.pruners.PercentilePruner,
    Method("patient", (("patience", 2),)): optuna.pruners.PatientPruner,
    Method("threshold", (("lower", 0.1),)): optuna.pruners.ThresholdPruner,
    Method("none"): optuna.pruners.NopPruner,
}


@pytest.mark.parametrize("method", PRUNERS, ids=lambda method: method.name)
def test_every_pruner_is_built_without_a_warning(method: Method) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(build_pruner(study_spec(search=Search(pruner=method))), PRUNERS[method])


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
