"""The notations of a range, and values that are not a range."""

from __future__ import annotations

import pytest

from hpo.studyfile.arguments.values import BadValue, coerce
from hpo.studyfile.space import Choices, Condition, FloatRange, IntRange, contains, is_active
from tests.studyfile.conftest import MINIMAL, Studio

LOG = FloatRange(1e-5, 1e-2, log=True)


@pytest.mark.parametrize(
    ("spelling", "domain"),
    [
        ("lr0={low: 1e-5, high: 1e-2, log: true}", LOG),
        ("lr0={min: 1e-5, max: 1e-2, distribution: log_uniform_values}", LOG),
        ("lr0={low: '1e-5', high: '1e-2', log: true}", LOG),
        ("lr0=[1e-5, 1e-2]", FloatRange(1e-5, 1e-2)),
        ("lr0={min: 1e-5, max: 1e-2}", FloatRange(1e-5, 1e-2)),
        ("mosaic={min: 0, max: 1, distribution: uniform}", FloatRange(0.0, 1.0)),
        ("mosaic={low: 0, high: 1, step: 0.25}", FloatRange(0.0, 1.0, step=0.25)),
        ("batch={low: 4, high: 64}", IntRange(4, 64)),
        ("batch={low: 4, high: 64, log: true}", IntRange(4, 64, log=True)),
        ("batch={min: 4, max: 64, distribution: int_uniform}", IntRange(4, 64)),
        ("batch=[4, 64]", IntRange(4, 64)),
        ("batch={low: 4, high: 64, step: 20}", IntRange(4, 64, step=20)),
        ("imgsz=[320, 1280]", IntRange(320, 1280, step=32)),
        ("imgsz={low: 320, high: 1280, step: 64}", IntRange(320, 1280, step=64)),
        ("optimizer={choices: [sgd, AdamW]}", Choices(("SGD", "AdamW"))),
        ("cos_lr={values: [true, false]}", Choices((True, False))),
        ("batch={values: [4, 8.0, '16'], distribution: categorical}", Choices((4, 8, 16))),
        ("warmup_epochs={choices: [1, 2]}", Choices((1.0, 2.0))),
        ("warmup_epochs={low: 1, high: {epochs: 0.3}}", FloatRange(1.0, 6.0)),
        ("warmup_epochs={low: 1, high: {epochs: 0.3, at_most: 5}}", FloatRange(1.0, 5.0)),
        ("close_mosaic={low: {epochs: 0.08}, high: {epochs: 0.33}}", IntRange(2, 6)),
    ],
)
def test_every_spelling_gives_its_domain(studio: Studio, spelling: str, domain: object) -> None:
    text = MINIMAL.replace(", optimizer: SGD", "") if spelling.startswith("optimizer") else MINIMAL
    spec = studio.load(f"space.{spelling}", text=text)
    dimension = spec.space.get(spelling.partition("=")[0])
    assert dimension is not None
    assert dimension.domain == domain
    assert type(getattr(dimension.domain, "low", None)) is type(getattr(domain, "low", None))


@pytest.mark.parametrize(
    "spelling", ["mosaic=0.5", "mosaic={value: 0.5}", "mosaic={value: 0.5, distribution: constant}"]
)
def test_a_single_value_is_fixed(studio: Studio, spelling: str) -> None:
    assert studio.load(f"space.{spelling}").space.fixed == (("mosaic", 0.5),)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("lr0={low: 1e-1, high: 1e-4}", "must be below high"),
        ("lr0={low: 0.1, high: 0.1}", "`lr0: 0.1`"),
        ("lr0={low: 0, high: 0.1, log: true}", "starts above 0"),
        ("lr0={low: 1e-3, high: 1e-1, log: true, step: 1e-3}", "drop one"),
        ("lr0={low: 1e-3, high: 2}", "outside 0 to 1"),
        ("lr0={low: -0.1, high: 0.1}", "outside 0 to 1"),
        ("lr0={low: 1e-3}", "`high` is missing"),
        ("lr0={high: 1e-3}", "`low` is missing"),
        ("lr0={}", "is missing"),
        ("lr0={low: 1e-3, high: .inf}", "finite"),
        ("lr0={low: 1e-3, high: 1e-1, choices: [1]}", "mixes"),
        ("lr0={low: 1e-3, min: 1e-4, high: 1e-1}", "says the same as `low`"),
        ("lr0={low: 1e-3, hihg: 1e-1}", "did you mean high?"),
        ("lr0={min: -5, max: -1, distribution: log_uniform}", "exponents"),
        ("lr0={min: 1e-3, max: 1e-1, distribution: categorical}", "needs `choices`"),
        ("lr0={min: 1e-3, max: 1e-1, distribution: int_uniform}", "write uniform"),
        ("lr0={min: 1e-3, max: 1e-1, distribution: normal}", "uniform"),
        ("lr0=[1e-5, 1e-2, 0.3]", "gain"),
        ("lr0=[1e-5]", "choices"),
        ("lr0=[a, b]", "choices"),
        ("lr0=fast", "finite number"),
        ("lr0=null", "must not be empty"),
        ("lr0={choices: []}", "list of values"),
        ("lr0={choices: [0.1]}", "one choice is no choice"),
        ("lr0={choices: [0.1, 0.1]}", "listed twice"),
        ("lr0={choices: [[0.1], 0.2]}", "finite number"),
        ("mosaic={low: 0, high: 1, step: 0.3}", "write 0.9"),
        ("mosaic={low: 0, high: 1, step: 0}", "above 0"),
        ("mosaic={low: 0, high: 1, step: 2}", "at most high - low"),
        ("batch={low: 4, high: 65, step: 20}", "write 64"),
        ("batch={low: 4, high: 64, step: 0.5}", "whole number"),
        ("batch={low: 0, high: 64}", "below 1"),
        ("batch={low: -1, high: 64}", "choose its own batch"),
        ("batch={low: 0.5, high: 64}", "choose its own batch"),
        ("batch={choices: [-1, 16]}", "choose its own batch"),
        ("imgsz={low: 300, high: 1280}", "write 288 or 320"),
        ("imgsz={low: 320, high: 1280, step: 48}", "multiple"),
        ("imgsz={low: 320, high: 1280, log: true}", "without log"),
        ("cos_lr={low: 0, high: 1}", "choices: [true, false]"),
        ("cos_lr={choices: [yes, no]}", "in YAML 1.2"),
        ("optimizer=[1, 2]", "choices"),
        ("optimizer={choices: [SGD, Adamm]}", "did you mean"),
        ("freeze=[1, 2]", "takes no numbers"),
        ("scale={choices: [[0.5, 1.5], 0.5]}", "under `train`"),
        ("warmup_epochs={low: 1, high: {epoch: 0.3}}", "did you mean epochs?"),
        ("warmup_epochs={low: 1, high: {at_most: 3}}", "is missing"),
        ("seed={low: 0, high: 9}", "luck"),
        ("epochs={low: 5, high: 9}", "stopped early"),
        ("device={choices: [0, 1]}", "is set by hpo"),
        ("label_smoothing=[0, 0.1]", "removed it"),
        ("vid_stride=[1, 2]", "nothing in a training"),
        ("mosaik=[0, 1]", "did you mean mosaic?"),
    ],
)
def test_what_can_not_be_honoured_is_refused(studio: Studio, spelling: str, message: str) -> None:
    problems = studio.problems(f"space.{spelling}")
    assert any(message in problem.message for problem in problems), problems


def test_conditions_put_parents_first_whatever_the_order_of_the_file(studio: Studio) -> None:
    space = """\
space:
  warmup_momentum: {low: 0, high: 0.9, when: {optimizer: [sgd, RMSprop], cos_lr: true}}
  cos_lr: {choices: [true, false], when: {optimizer: SGD}}
  lr0: {low: 1e-4, high: 1e-1}
  optimizer: {choices: [SGD, RMSprop, AdamW]}
"""
    text = MINIMAL.partition("space:")[0].replace(", optimizer: SGD", "") + space
    loaded = studio.load(text=text).space
    assert loaded.names == ("lr0", "optimizer", "cos_lr", "warmup_momentum")
    child = loaded.get("warmup_momentum")
    assert child is not None
    assert child.when == (Condition("optimizer", ("SGD", "RMSprop")), Condition("cos_lr", (True,)))
    assert is_active(child, {"optimizer": "SGD", "cos_lr": True})
    assert not is_active(child, {"optimizer": "RMSprop"})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{low: 0, high: 0.9, when: {optimizer: SDG}}", "did you mean SGD?"),
        ("{low: 0, high: 0.9, when: {optimizer: RMSprop}}", "can only be SGD"),
        ("{low: 0, high: 0.9, when: {optimiser: SGD}}", "did you mean optimizer?"),
        ("{low: 0, high: 0.9, when: {cos_lr: true}}", "neither in the space nor under `train`"),
        ("{low: 0, high: 0.9, when: {lr0: 0.1}}", "is a range"),
        ("{low: 0, high: 0.9, when: {}}", "must name a parent"),
        ("{low: 0, high: 0.9, when: {optimizer: []}}", "at least one value"),
        ("{low: 0, high: 0.9, when: {warmup_momentum: 0.5}}", "leads back to itself"),
        ("{value: 0.5, when: {optimizer: SGD}}", "a fixed value has no condition"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(studio: Studio, entry: str, message: str) -> None:
    problems = studio.problems(f"space.warmup_momentum={entry}")
    assert any(message in problem.message for problem in problems), problems


def test_a_condition_on_a_fixed_value_is_settled_at_once(studio: Studio) -> None:
    dimension = studio.load("space.warmup_momentum={low: 0, high: 0.9, when: {optimizer: SGD}}").space.get(
        "warmup_momentum"
    )
    assert dimension is not None
    assert dimension.when == ()


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("epochs", 1e2, 100),
        ("scale", [0.5, 1], [0.5, 1.0]),
        ("freeze", [0, "23.cv2"], [0, "23.cv2"]),
        ("freeze", None, None),
        ("amp", "BF16", "bf16"),
        ("cache", "ram", "ram"),
        ("classes", 2, 2),
        ("compile", "max-autotune", "max-autotune"),
    ],
)
def test_values_come_out_as_ultralytics_takes_them(name: str, raw: object, value: object) -> None:
    assert coerce(name, raw) == value


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("scale", [0.5]),
        ("scale", [0.5, 0.1]),
        ("freeze", -1),
        ("freeze", "backbone"),
        ("amp", "fp8"),
        ("cache", "tape"),
        ("classes", "cat"),
        ("copy_paste_mode", "flop"),
        ("distill_model", 3),
        ("pretrained", 3),
        ("nbs", 0),
        ("close_mosaic", -1),
        ("workers", 10**400),
        ("box", 10**400),
        ("optimizer", 3),
    ],
)
def test_values_that_ultralytics_would_replace_or_fail_on_are_refused(name: str, raw: object) -> None:
    with pytest.raises(BadValue):
        coerce(name, raw)


def test_contains_knows_bounds_steps_and_kinds() -> None:
    assert contains(FloatRange(0, 1, step=0.1), 0.30000000000000004)
    assert not contains(FloatRange(0, 1, step=0.1), 0.35)
    assert contains(IntRange(4, 64, step=20), 24)
    assert not contains(IntRange(4, 64, step=20), 25)
    assert not contains(Choices((True, False)), 1)
