"""A study is unchanged after writing and reading in every stored form."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.studyfile import serialize
from hpo.studyfile.loader import load_file
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.space import Choices, Dimension, Domain, FloatRange, IntRange, contains
from hpo.trial.objective import Objective, parse
from hpo.trial.vocabulary import Scalar
from tests.studyfile.any_study import dimensions, is_sound, objectives, studies
from tests.studyfile.conftest import Studio

RICH = """\
name: rich
data: data.yaml
model: yolov8n.yaml
train: {epochs: 40, freeze: [0, 1], classes: null, cache: ram}
space:
  - yolov8-full
  - nms
  - {imgsz: [320, 640], batch: {low: 4, high: 64, log: true}, box: {low: 1, high: 9, step: 2}, cos_lr: true}
objective: f1
postprocess: sampled
search:
  sampler: {name: tpe, n_startup_trials: 4}
  pruner: {name: patient, patience: 3, wrapped: {name: percentile, percentile: 25}}
  seed: 7
  enqueue: [{optimizer: SGD, warmup_momentum: 0.5}, {conf: 0.2}]
budget: {trials: 9, hours: 1.5}
baseline: false
plots: best
keep: {weights: 2, caches: 3}
confirm: {top: 2, seeds: 5}
warm_start: [earlier, cells-2025]
recovery: {hung_s: 60, retries: 0}
"""
SWEPT = """\
name: swept
data: data.yaml
model: yolov8n.yaml
space: [yolov8-full, nms, {max_det: 100, agnostic_nms: {choices: [true, false]}}]
objective: {metric: "f0.5 at recall[a] >= 0.25 and fp_per_image <= 1.5", goal: maximize}
"""


@pytest.mark.parametrize("text", [RICH, SWEPT])
def test_a_rich_study_survives_json_and_yaml(studio: Studio, text: str) -> None:
    spec = studio.load(text=text)
    assert serialize.from_json(serialize.to_json(spec)) == spec
    assert studio.load(text=serialize.dump_yaml(spec)) == spec


def test_the_canonical_text_is_the_same_for_the_same_study_however_it_is_written(studio: Studio) -> None:
    one = studio.load("train={epochs: 20, warmup_epochs: 3, optimizer: sgd}", "space.lr0=[1e-4, 1e-1]")
    other = studio.load("train={optimizer: SGD, warmup_epochs: 3.0, epochs: '20'}", "space.lr0={max: 0.1, min: 1.0e-4}")
    assert serialize.to_json(one) == serialize.to_json(other)
    assert serialize.digest(one) == serialize.digest(other)
    assert serialize.digest(one) != serialize.digest(replace(one, name="other"))
    assert len(serialize.digest(one)) == 64


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("train.epochs=30", "train.epochs: stored 20, asked 30"),
        ("train.nbs=8", "train.nbs: stored nothing, asked 8"),
        ("budget.hours=2", "budget.hours: stored nothing, asked 2.0"),
        ("baseline=false", "baseline: stored true, asked false"),
        ("space.mosaic=[0, 1]", "space.mosaic: stored nothing, asked {low: 0.0, high: 1.0}"),
        ("objective=f2", "objective.metric: stored map50_95, asked f2"),
        ("keep.caches=2", "keep.caches: stored 5, asked 2"),
        ("search.sampler=gp", "search.sampler.name: stored tpe, asked gp"),
        ("search.enqueue=[{lr0: 0.1}]", "search.enqueue: stored [], asked [{'lr0': 0.1}]"),
        ("space.lr0=[0.1, 0.2]", "space.lr0: stored {low: 0.0001, high: 0.1, log: true}, asked {low: 0.1, high: 0.2}"),
    ],
)
def test_differences_name_the_key_and_both_values(studio: Studio, change: str, line: str) -> None:
    assert line in serialize.differences(studio.load(), studio.load(change))
    if not change.startswith("objective"):  # the objective may change postprocess too
        assert serialize.differences(studio.load(), studio.load(change)) == [line]


def test_the_same_study_has_no_differences(studio: Studio) -> None:
    assert serialize.differences(studio.load(text=RICH), studio.load(text=RICH)) == []


# any study


@settings(max_examples=300, deadline=None)
@given(objectives())
def test_an_objective_survives_its_text(objective: Objective) -> None:
    assert parse(str(objective)) == objective


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(studies().filter(is_sound))
def test_study_to_yaml_to_study_is_identity(studio: Studio, spec: StudySpec) -> None:
    placed = replace(spec, data=str(studio.folder / "data.yaml"))
    text = serialize.dump_yaml(placed)
    again = load_file(studio.write(text))
    assert again == placed
    assert serialize.dump_yaml(again) == text


@settings(max_examples=40, deadline=None)
@given(studies())
def test_study_to_json_to_study_is_identity(spec: StudySpec) -> None:
    text = serialize.to_json(spec)
    assert serialize.from_json(text) == spec
    assert serialize.to_json(serialize.from_json(text)) == text


def _sample(domain: Domain, data: st.DataObject) -> Scalar:
    """Draw as a sampler does: uniformly, and on the domain's own grid."""
    match domain:
        case Choices(values):
            return data.draw(st.sampled_from(values))
        case IntRange(low, high, _, step):
            return low + step * data.draw(st.integers(0, (high - low) // step))
        case FloatRange(low, high, _, step):
            if step is None:
                return data.draw(st.floats(low, high))
            return low + step * data.draw(st.integers(0, round((high - low) / step)))


@settings(max_examples=200, deadline=None)
@given(dimensions(), st.data())
def test_a_sample_lies_in_its_domain(dimension: Dimension, data: st.DataObject) -> None:
    assert contains(dimension.domain, _sample(dimension.domain, data))


@settings(max_examples=200, deadline=None)
@given(dimensions(), st.floats(1.0001, 1e6))
def test_what_lies_beyond_the_bounds_is_outside(dimension: Dimension, factor: float) -> None:
    if not isinstance(dimension.domain, Choices):
        beyond = dimension.domain.high * factor + 1
        assert not contains(dimension.domain, beyond)
        assert not contains(dimension.domain, -beyond)
