from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.trial.objective import GRAMMAR, Average, Constraint, Objective, Quantity, parse
from hpo.trial.vocabulary import Metric

BOUNDS = st.sampled_from([0.0, 0.25, 0.5, 0.875, 1.0])
NAMES = st.none() | st.sampled_from(["cat", "Red Cell", "7"])
CONDITIONS = st.builds(Constraint, st.sampled_from([Quantity.PRECISION, Quantity.RECALL, Quantity.F1]), BOUNDS, NAMES)
FALSE_ALARMS = st.builds(Constraint, st.just(Quantity.FP_PER_IMAGE), st.sampled_from([0.0, 0.5, 12.0]))
OBJECTIVES = st.builds(
    Objective,
    st.sampled_from(list(Metric)),
    st.sampled_from(list(Average)),
    st.sampled_from([1.0, 2.0, 0.5]),
    st.lists(CONDITIONS | FALSE_ALARMS, max_size=3).map(tuple),
)


@given(OBJECTIVES)
def test_the_text_of_an_objective_spells_it(objective: Objective) -> None:
    if objective.metric is not Metric.F1 and objective.beta != 1.0:
        return
    bound = {(c.quantity.value, c.cls) for c in objective.constraints}
    if objective.is_ap and objective.average is Average.MICRO:
        return
    if (objective.metric.value, None) in bound and objective.beta == 1.0:
        return
    assert parse(str(objective)) == objective


def test_words_have_their_usual_meaning() -> None:
    assert parse("f1") == Objective(Metric.F1)
    assert parse("f2 micro") == Objective(Metric.F1, Average.MICRO, 2.0)
    assert parse("recall at precision >= .9") == Objective(
        Metric.RECALL, constraints=(Constraint(Quantity.PRECISION, 0.9),)
    )
    assert parse("f1 at recall[Red Cell] >= 0.6 and fp_per_image <= 0.5").constraints == (
        Constraint(Quantity.RECALL, 0.6, "Red Cell"),
        Constraint(Quantity.FP_PER_IMAGE, 0.5),
    )


def test_only_what_a_plain_validation_shows_is_plain() -> None:
    assert parse("f1").is_plain
    assert not any(parse(text).is_plain for text in ("f2", "f1 micro", "map_small", "recall at precision >= 0.9"))


@pytest.mark.parametrize("metric", Metric)
def test_a_row_of_a_metric_agrees_with_itself_and_the_grammar_names_it(metric: Metric) -> None:
    row = metric.row
    assert row.does
    assert re.search(rf"\b{metric}\b", GRAMMAR)
    assert parse(str(metric)).metric is metric
    assert {Quantity(name) for name in row.held_back_by} <= set(Quantity)
    assert metric.value not in row.held_back_by
    assert not (row.is_ap and row.held_back_by)
    assert row.areas is None or (row.is_ap and not row.is_plain)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mAP", "mAP is no metric"),
        ("f1 weighted", "is no objective"),
        ("f0", "beta"),
        ("recall at precision > 0.9", "is no condition"),
        ("recall at precision <= 0.9", "bounded from below"),
        ("recall at fp_per_image >= 1", "bounded from above"),
        ("recall at precision >= 1.2", "lies in 0 to 1"),
        ("recall at precision >= e", "no number"),
        ("recall at fp_per_image[cat] <= 1", "drop"),
        ("recall at recall >= 0.5", "bounds what is maximized"),
        ("map50 micro", "mean over classes"),
    ],
)
def test_what_is_no_objective_says_what_would_be(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)
