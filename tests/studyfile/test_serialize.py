"""A study survives every form it is kept in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.studyfile import serialize
from hpo.studyfile.loader import load_file
from hpo.studyfile.schema import Budget, Keep, Method, Recovery, Search, StudySpec
from hpo.studyfile.space import Choices, Condition, Dimension, Domain, FloatRange, IntRange, Space, contains
from hpo.trial.objective import AP_METRICS, Average, Constraint, Objective, Quantity, parse
from hpo.trial.vocabulary import Metric, Postprocess, Scalar
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
    if not change.startswith("objective"):  # which may change postprocess too
        assert serialize.differences(studio.load(), studio.load(change)) == [line]


def test_the_same_study_has_no_differences(studio: Studio) -> None:
    assert serialize.differences(studio.load(text=RICH), studio.load(text=RICH)) == []


# any study


def _dimensions() -> st.SearchStrategy[Dimension]:
    """Of names that no rule forbids together."""
    floats = st.floats(0.001, 0.5).flatmap(
        lambda low: st.builds(FloatRange, st.just(low), st.floats(low + 0.01, 1.0), st.booleans())
    )
    stepped = st.builds(
        lambda low, count, step: FloatRange(low, low + count * step, step=step),
        st.sampled_from([0.0, 0.1, 0.25]),
        st.integers(1, 5),
        st.sampled_from([0.05, 0.1, 0.125]),
    )
    whole = st.builds(
        lambda low, count, step: IntRange(low, low + count * step, step=step),
        st.integers(1, 64),
        st.integers(1, 9),
        st.integers(1, 8),
    )
    log = st.builds(lambda low, more: IntRange(low, low + more, log=True), st.integers(1, 64), st.integers(1, 64))
    several = st.lists(st.floats(0, 1), min_size=2, max_size=5, unique=True).map(lambda values: Choices(tuple(values)))
    fractions = ("lr0", "lrf", "weight_decay", "mosaic", "mixup", "hsv_h", "scale")
    return st.one_of(
        st.builds(Dimension, st.sampled_from(fractions), st.one_of(floats, stepped, several)),
        st.builds(Dimension, st.sampled_from(("batch", "nbs")), st.one_of(whole, log)),
    )


def _spaces() -> st.SearchStrategy[Space]:
    several = st.lists(_dimensions(), min_size=1, max_size=6, unique_by=lambda dimension: dimension.name)
    optimizers = st.lists(st.sampled_from(["SGD", "MuSGD", "AdamW"]), min_size=2, max_size=3, unique=True).map(tuple)
    conditional = optimizers.map(
        lambda names: (
            Dimension("optimizer", Choices(names)),
            Dimension("momentum", FloatRange(0.8, 0.95), (Condition("optimizer", names[:1]),)),
        )
    )
    fixed = st.dictionaries(st.sampled_from(["flipud", "degrees", "shear"]), st.floats(0, 1), max_size=3)
    return st.builds(
        lambda own, pair, values: Space((*own, *pair), tuple(sorted(values.items()))), several, conditional, fixed
    )


def _objectives() -> st.SearchStrategy[Objective]:
    """Any that the grammar spells."""
    share = st.floats(0, 1)
    bounded = st.builds(
        Constraint,
        st.sampled_from([Quantity.PRECISION, Quantity.RECALL]),
        share,
        st.none() | st.sampled_from(["a", "Red cell", "salt and pepper", "cat at home"]),
    )
    counted = st.builds(Constraint, st.just(Quantity.FP_PER_IMAGE), st.floats(0, 1e6))
    constraints = st.lists(bounded | counted, max_size=3).map(tuple)
    f = st.builds(
        Objective,
        st.just(Metric.F1),
        st.sampled_from(Average),
        st.floats(0.01, 100),
        constraints,
    )
    return f | st.builds(Objective, st.sampled_from(AP_METRICS), constraints=constraints)


@settings(max_examples=300, deadline=None)
@given(_objectives())
def test_an_objective_survives_its_text(objective: Objective) -> None:
    assert parse(str(objective)) == objective


STUDIES = st.builds(
    StudySpec,
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True),
    data=st.just("data.yaml"),
    model=st.sampled_from(["yolov8n.yaml", "yolo11n.pt"]),
    train=st.dictionaries(st.sampled_from(["box", "dfl"]), st.floats(0.1, 20)).map(
        lambda values: tuple(sorted({**values, "epochs": 12}.items()))
    ),
    space=_spaces(),
    objective=st.builds(Objective, st.sampled_from(Metric)) | _objectives(),
    search=st.builds(
        Search,
        sampler=st.sampled_from(
            [Method("tpe"), Method("tpe", (("n_startup_trials", 3),)), Method("gp"), Method("qmc")]
        ),
        pruner=st.sampled_from(
            [Method("none"), Method("sha", (("min_resource", 2),)), Method("patient", (("patience", 2),))]
        ),
        seed=st.integers(0, 2**32 - 1),
    ),
    budget=st.builds(Budget, st.integers(1, 10**6), st.one_of(st.none(), st.floats(0.1, 1e4))),
    baseline=st.booleans(),
    postprocess=st.sampled_from([Postprocess.NONE, Postprocess.SWEPT]),
    plots=st.sampled_from(["none", "best", "all"]),
    keep=st.builds(Keep, st.integers(1, 99), st.integers(1, 99)),
    recovery=st.builds(Recovery, st.floats(1, 1e5), st.integers(0, 9)),
)


def _is_sound(spec: StudySpec) -> bool:
    """What the loader would take: an objective that its post-processing can find."""
    one_sided = spec.objective in (Objective(Metric.PRECISION), Objective(Metric.RECALL))
    return not one_sided if spec.is_swept else spec.objective.is_plain


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STUDIES.filter(_is_sound))
def test_study_to_yaml_to_study_is_identity(studio: Studio, spec: StudySpec) -> None:
    placed = replace(spec, data=str(studio.folder / "data.yaml"))
    text = serialize.dump_yaml(placed)
    again = load_file(studio.write(text))
    assert again == placed
    assert serialize.dump_yaml(again) == text


@settings(max_examples=80, deadline=None)
@given(STUDIES)
def test_study_to_json_to_study_is_identity(spec: StudySpec) -> None:
    text = serialize.to_json(spec)
    assert serialize.from_json(text) == spec
    assert serialize.to_json(serialize.from_json(text)) == text


def _sample(domain: Domain, data: st.DataObject) -> Scalar:
    """As a sampler picks: uniformly, and on the domain's own grid."""
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
@given(_dimensions(), st.data())
def test_a_sample_lies_in_its_domain(dimension: Dimension, data: st.DataObject) -> None:
    assert contains(dimension.domain, _sample(dimension.domain, data))


@settings(max_examples=200, deadline=None)
@given(_dimensions(), st.floats(1.0001, 1e6))
def test_what_lies_beyond_the_bounds_is_outside(dimension: Dimension, factor: float) -> None:
    if not isinstance(dimension.domain, Choices):
        beyond = dimension.domain.high * factor + 1
        assert not contains(dimension.domain, beyond)
        assert not contains(dimension.domain, -beyond)
