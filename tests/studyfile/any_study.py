"""Any study that the definition of the keys allows: each key has a strategy."""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import strategies as st

from hpo.studyfile.keys import Block, Flag, Form, KeyField, OneOf, Own, Real, Whole, keys_of
from hpo.studyfile.planning import sweep
from hpo.studyfile.schema import LONGEST_NAME, NAME, STAGE_SUFFIX, Method, StudySpec
from hpo.studyfile.space import Choices, Condition, Dimension, FloatRange, IntRange, Space
from hpo.trial.kinds import Kind
from hpo.trial.objective import Average, Constraint, Objective, Quantity
from hpo.trial.vocabulary import Metric, Postprocess

T = TypeVar("T")


def studies() -> st.SearchStrategy[StudySpec]:
    return _block(StudySpec)


def is_sound(spec: StudySpec) -> bool:
    """Generate studies that no rule refuses: keys are drawn one by one, and rules may concern several keys."""
    one_sided = spec.objective in (Objective(Metric.PRECISION), Objective(Metric.RECALL))
    measured = not one_sided if spec.is_swept else spec.objective.is_plain
    tried = not list(sweep.check(spec)) if spec.is_swept else spec.kinds is None and not spec.per_class
    named = len(spec.name) <= LONGEST_NAME - len(STAGE_SUFFIX) and spec.name not in spec.warm_start
    sampled = spec.postprocess is Postprocess.SAMPLED  # none of the spaces below has a name to sample
    return measured and tried and named and not sampled


def _block(cls: type[T]) -> st.SearchStrategy[T]:
    return st.builds(cls, **{each.name: _key(each) for each in keys_of(cls)})


def _key(each: KeyField) -> st.SearchStrategy[Any]:
    given = _shape(each)
    return st.none() | given if each.default is None and not each.required else given


def _shape(each: KeyField) -> st.SearchStrategy[Any]:
    match each.shape:
        case Whole(low, high, _):
            return st.integers(int(low), int(high))
        case Real(bound, above, high):
            return st.floats(bound, high, exclude_min=above)
        case Flag():
            return st.booleans()
        case OneOf(names, make):
            return st.sampled_from([make(name) for name in names])
        case Block(cls):
            return _block(cls)
        case Own(form):
            return _form(form)


def _form(form: Form) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911  (a line a form)
    match form:
        case "name":
            return _names()
        case "names":
            return st.lists(_names(), max_size=2, unique=True).map(tuple)
        case "data":
            return st.just("data.yaml")
        case "model":
            return st.sampled_from(["yolov8n.yaml", "yolo11n.pt"])
        case "train":
            gains = st.dictionaries(st.sampled_from(["box", "dfl"]), st.floats(0.1, 20))
            return gains.map(lambda values: tuple(sorted({**values, "epochs": 12}.items())))
        case "recipe":
            return st.just(()) | st.just((("lr0", 0.02), ("optimizer", "SGD")))
        case "space":
            return spaces()
        case "objective":
            return st.builds(Objective, st.sampled_from(Metric)) | objectives()
        case "sampler":
            return st.sampled_from(
                [Method("tpe"), Method("tpe", (("n_startup_trials", 3),)), Method("gp"), Method("qmc")]
            )
        case "pruner":
            return st.sampled_from(
                [Method("none"), Method("sha", (("min_resource", 2),)), Method("patient", (("patience", 2),))]
            )
        case "proposals":
            return st.just(())  # the strategy can't know the space that they must lie in: see test_proposals.py
        case "kinds":
            kinds = st.lists(st.sampled_from([kind for kind in Kind if kind is not Kind.NONE]), min_size=1, unique=True)
            return kinds.map(lambda chosen: tuple(kind for kind in Kind if kind in chosen))


def _names() -> st.SearchStrategy[str]:
    return st.from_regex(NAME, fullmatch=True).filter(lambda name: not name.endswith(STAGE_SUFFIX))


def dimensions() -> st.SearchStrategy[Dimension]:
    """Return names that no rule forbids together."""
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


def spaces() -> st.SearchStrategy[Space]:
    several = st.lists(dimensions(), min_size=1, max_size=6, unique_by=lambda dimension: dimension.name)
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


def objectives() -> st.SearchStrategy[Objective]:
    """Generate any value that the grammar allows."""
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
    return f | st.builds(
        Objective, st.sampled_from([metric for metric in Metric if metric.row.is_ap]), constraints=constraints
    )
