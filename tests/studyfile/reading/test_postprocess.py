"""``postprocess`` as a word and in its long form."""

from __future__ import annotations

import pytest

from hpo.studyfile import serialize
from hpo.trial.kinds import Kind
from hpo.trial.vocabulary import Postprocess
from tests.studyfile.conftest import Studio


def test_a_study_that_names_no_kinds_has_none_of_its_own(studio: Studio) -> None:
    for said in ("postprocess=swept", "postprocess={mode: swept}", "postprocess={mode: swept, per_class: false}"):
        spec = studio.load(said)
        assert (spec.postprocess, spec.kinds, spec.per_class) == (Postprocess.SWEPT, None, False)
        assert '"postprocess":"swept"' in serialize.to_json(spec)
        assert "postprocess: swept" in serialize.dump_yaml(spec)


@pytest.mark.parametrize(
    ("said", "kinds", "per_class"),
    [
        ("{mode: swept, kinds: [soft, hard]}", (Kind.HARD, Kind.SOFT), False),
        ("{mode: swept, kinds: [class]}", (Kind.HARD,), False),
        (
            "{mode: swept, kinds: [hard, agnostic, class, soft, soft_linear, diou, wbf], per_class: false}",
            (Kind.HARD, Kind.AGNOSTIC, Kind.DIOU, Kind.SOFT, Kind.SOFT_LINEAR, Kind.WBF),
            False,
        ),
        ("{mode: swept, per_class: true}", None, True),
        ("{kinds: [wbf], per_class: true}", (Kind.WBF,), True),  # only a sweep tries kinds
    ],
)
def test_its_long_form_says_what_a_sweep_tries_and_survives_both_ways_of_writing(
    studio: Studio, said: str, kinds: tuple[Kind, ...] | None, per_class: bool
) -> None:
    spec = studio.load(f"postprocess={said}")
    assert (spec.postprocess, spec.kinds, spec.per_class) == (Postprocess.SWEPT, kinds, per_class)
    assert serialize.from_json(serialize.to_json(spec)) == spec
    assert studio.load(text=serialize.dump_yaml(spec)) == spec


def test_every_kind_but_none_can_be_named(studio: Studio) -> None:
    for kind in Kind:
        said = f"postprocess={{mode: swept, kinds: [{kind}]}}"
        if kind is Kind.NONE:
            assert studio.problem(said).path == "postprocess.kinds[0]"
        else:
            assert studio.load(said).kinds == (kind,)


def test_an_override_reaches_into_the_long_form(studio: Studio) -> None:
    spec = studio.load("postprocess=swept", "postprocess.kinds=[diou]", "postprocess.per_class=true")
    assert (spec.postprocess, spec.kinds, spec.per_class) == (Postprocess.SWEPT, (Kind.DIOU,), True)


def test_differences_name_the_word_by_one_path_in_both_forms(studio: Studio) -> None:
    plain, long = studio.load("postprocess=swept"), studio.load("postprocess={mode: swept, kinds: [soft]}")
    assert serialize.differences(plain, long) == ["postprocess.kinds: stored nothing, asked ['soft']"]
    assert serialize.differences(studio.load(), plain) == ["postprocess: stored none, asked swept"]


@pytest.mark.parametrize(
    ("said", "path", "message"),
    [
        ("{mode: swpt}", "postprocess.mode", "did you mean swept?"),
        ("{mode: swept, kinds: []}", "postprocess.kinds", "must be a list of kinds"),
        ("{mode: swept, kinds: soft}", "postprocess.kinds", "must be a list of kinds"),
        ("{mode: swept, kinds: [sof]}", "postprocess.kinds[0]", "did you mean soft?"),
        ("{mode: swept, per_class: 1}", "postprocess.per_class", "must be true or false"),
        ("{mode: swept, kind: [soft]}", "postprocess.kind", "did you mean kinds?"),
        ("{mode: none, kinds: [soft]}", "postprocess.kinds", "`mode: none` makes none"),
        ("{mode: none, per_class: true}", "postprocess.per_class", "write `mode: swept`"),
    ],
)
def test_what_is_wrong_is_named(studio: Studio, said: str, path: str, message: str) -> None:
    problem = studio.problem(f"postprocess={said}")
    assert problem.path == path
    assert message in problem.message
