"""Readers of one entry of a search space, in any common spelling, to a domain or a fixed value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from hpo.studyfile.arguments import arguments
from hpo.studyfile.arguments.values import BadValue, coerce
from hpo.studyfile.space import FOLLOWING, Choices, Domain, FloatRange, IntRange
from hpo.studyfile.text import fields
from hpo.studyfile.text.fields import Field, shown
from hpo.studyfile.text.report import nearest
from hpo.trial.vocabulary import Scalar
from hpo.yamlfile.document import numeric, plain

Range = TypeVar("Range", FloatRange, IntRange)
IMGSZ_STEP = 32
"""Step of image sizes in pixels: Ultralytics silently rounds them up to the model's stride."""

MOST_CHOICES = 1000

RANGE_KEYS: dict[str, tuple[str, Any]] = {
    "low": ("The least value, included; or a share of the epochs.", 1e-4),
    "high": ("The largest value, included; or a share of the epochs.", {"epochs": 0.3, "at_most": 10}),
    "log": ("Whether the value acts by its order of magnitude.", True),
    "step": ("Divides the range into a grid from `low`; `high` must lie on it.", 0.25),
    "min": ("As in W&B: `low`.", 1e-4),
    "max": ("As in W&B: `high`.", 1e-2),
    "distribution": ("As in W&B: what its bounds or values are.", "uniform"),
    "choices": ("One of these values.", ["SGD", "AdamW"]),
    "values": ("As in W&B: `choices`.", [8, 16]),
    "value": ("The same value in every trial.", 0.5),
    "when": ("Sampled only where another name has one of these values.", {"optimizer": ["SGD", "MuSGD"]}),
    "follows": ("For `lr0`: the range that fits the optimizer.", "optimizer"),
    "sampled": ("Other bounds, [low, high], under `postprocess: sampled`.", [0.1, 0.5]),
}
"""Keys of a range: description, and an example."""
UNKNOWN_OPTIMIZER = FloatRange(1e-4, 1e-1, log=True)
"""Range of ``lr0`` until the optimizer is known: what any optimizer takes."""
_SAME = {"min": "low", "max": "high", "values": "choices"}
DISTRIBUTIONS = {
    "uniform": "low",
    "int_uniform": "low",
    "log_uniform_values": "low",
    "categorical": "choices",
    "constant": "value",
}
"""W&B's distributions, with the key that each needs."""


@dataclass(frozen=True)
class Fixed:
    value: Scalar


@dataclass(frozen=True)
class SpaceEntry:
    """A readable entry of a space, before its conditions are resolved."""

    name: str
    content: Domain | Fixed
    when: tuple[tuple[str, tuple[Scalar, ...]], ...]
    field: Field
    follows_optimizer: bool = False
    part: str | None = None
    """Name of the part that it comes from; None for the study file itself."""


def read_entry(field: Field, name: str, epochs: int, *, sampled: bool = False) -> SpaceEntry | None:
    """Read one entry; return None after a problem was reported.

    ``epochs`` resolves bounds such as ``high: {epochs: 0.3}``. ``sampled``: whether the bounds are those for
    ``postprocess: sampled``, where the entry has some.
    """
    before = len(field.report.problems)
    entries = field.entries
    if entries is not None:
        other = _from_list(entries["sampled"], name) if "sampled" in entries else None
        content = _from_mapping(field, entries, name, epochs)
        content = other if sampled and other is not None else content
    else:
        content = _from_list(field, name) if field.items is not None else Fixed(_value(field, name))
    when = _conditions(entries["when"]) if entries and "when" in entries else ()
    if content is None or len(field.report.problems) > before:
        return None
    return SpaceEntry(name, content, when, field, follows_optimizer=bool(entries) and "follows" in (entries or {}))


def _value(field: Field, name: str) -> Any:
    """Return the coerced value; None after a problem (an accepted null is None too)."""
    try:
        value = coerce(name, plain(field.node))
    except BadValue as error:
        return field.fail(str(error))
    if isinstance(value, list):
        return field.fail("a space holds single values: fix a list under `train`")
    return value


def _from_list(field: Field, name: str) -> Domain | None:
    """Read ``[1e-5, 1e-2]``: smallest and largest, as Ultralytics' own tuner writes a range."""
    if field.items is None:
        return field.fail(f"must be a range [low, high], not {shown(field.node)}")
    items = field.items
    if any(numeric(item.node.value) is None for item in items) or len(items) not in {2, 3}:
        listed = shown(field.node)
        return field.fail(f"a list is a range [low, high]; one of several values is written {{choices: {listed}}}")
    if len(items) == 3:
        return field.fail(
            "the third number is the gain of Ultralytics' own tuner, which Optuna's samplers have no use for: "
            f"write [{shown(items[0].node)}, {shown(items[1].node)}]"
        )
    low, high = (fields.real(item) or 0.0 for item in items)
    return _range(field, name, FloatRange(low, high))


def _from_mapping(field: Field, entries: Mapping[str, Field], name: str, epochs: int) -> Domain | Fixed | None:
    given: dict[str, Field] = {}
    for key, child in entries.items():
        meant = _SAME.get(key, key)
        if key not in RANGE_KEYS:
            child.fail(f"unknown key{nearest(key, ('low', 'high', 'log', 'step', 'choices', 'value', 'when'))}")
        elif meant in given:
            child.fail(f"says the same as `{meant}`: keep one")
        elif key not in {"when", "sampled"} and child.node.value is not None:
            given[meant] = child
    if "follows" in given:
        return _following(field, given, name)
    log = _distribution(given, name)
    if "choices" in given or "value" in given:
        if len(given) > 1:
            mixed = " and ".join(f"`{key}`" for key in given)
            return field.fail(f"mixes {mixed}: a range, choices or one value, not several")
        return _choices(given["choices"], name) if "choices" in given else Fixed(_value(given["value"], name))
    missing = [f"`{bound}` is missing" for bound in ("high", "low") if bound not in given]
    if missing:
        return field.fail(f"{missing[0]}: a range is {{low: ..., high: ...}}, a list of values {{choices: [...]}}")
    return _read_range(field, given, name, epochs, log=log)


def _following(field: Field, given: Mapping[str, Field], name: str) -> Domain | None:
    """Read ``{follows: optimizer}``; the optimizer gives the range later."""
    if name != "lr0":
        return field.fail(f"`follows` is for lr0 only: give {name} `low` and `high`, or choices")
    if given["follows"].node.value != FOLLOWING:
        return given["follows"].fail(f"must be {FOLLOWING}, not {shown(given['follows'].node)}")
    if len(given) > 1:
        others = ", ".join(f"`{key}`" for key in given if key != "follows")
        return field.fail(f"the optimizer gives the whole range: drop {others}, or `follows`")
    return UNKNOWN_OPTIMIZER


def _distribution(given: dict[str, Field], name: str) -> bool:
    """Remove W&B's ``distribution`` from ``given``, check that the rest agrees, return whether it means log."""
    field = given.pop("distribution", None)
    if field is None:
        return False
    if field.node.value in ("log_uniform", "q_log_uniform"):
        field.fail("its bounds are exponents: write {low: ..., high: ..., log: true} with the values themselves")
        return False
    distribution = fields.one_of(DISTRIBUTIONS)(field)
    if distribution is not None and DISTRIBUTIONS[distribution] not in given:
        field.fail(f"{distribution} needs `{DISTRIBUTIONS[distribution]}`")
    if distribution == "int_uniform" and arguments.kind(name) != "whole":
        field.fail(f"{name} is no whole number: write uniform")
    return distribution == "log_uniform_values"


def _choices(field: Field, name: str) -> Choices | None:
    items = field.items
    if not items:
        return field.fail(f"must be a list of values, not {shown(field.node)}")
    if len(items) > MOST_CHOICES:
        return field.fail(f"has {len(items)} values, and no search tries more than {MOST_CHOICES}: leave some out")
    before = len(field.report.problems)
    values = [_value(item, name) for item in items]
    if len(field.report.problems) > before:
        return None
    for position, value in enumerate(values):
        if value in values[:position]:
            return items[position].fail(f"{value!r} is listed twice: list each value once")
    if len(values) == 1:
        return field.fail(f"one choice is no choice: write `{name}: {values[0]}`")
    return Choices(tuple(values))


def _read_range(field: Field, given: Mapping[str, Field], name: str, epochs: int, *, log: bool) -> Domain | None:
    whole = arguments.kind(name) == "whole"
    low = _bound(given["low"], epochs, up=whole)
    high = _bound(given["high"], epochs, down=whole)
    logarithmic = fields.flag(given["log"]) if "log" in given else log
    step = fields.real(given["step"]) if "step" in given else None
    if low is None or high is None or logarithmic is None or ("step" in given and step is None):
        return None
    return _range(field, name, FloatRange(low, high, logarithmic, step))


def _bound(field: Field, epochs: int, *, up: bool = False, down: bool = False) -> float | None:
    """Read a number, or ``{epochs: 0.3, at_most: 10}``: a share of the epochs, capped."""
    if field.entries is None:
        return fields.real(field)
    positive = fields.at_least(fields.real, 0.0)
    read = fields.mapping(field, {"epochs": positive, "at_most": positive}, ("epochs",))
    if "epochs" not in read:
        return None
    share = min(read["epochs"] * epochs, read.get("at_most", math.inf))
    return float(math.ceil(share - 1e-9)) if up else float(math.floor(share + 1e-9)) if down else share


def _range(field: Field, name: str, read: FloatRange) -> Domain | None:
    """Return the domain of a range with its numbers read, and refuse what no sampler or training could honour."""
    low, high, kind = read.low, read.high, arguments.kind(name)
    if kind in {"flag", "text", "special"}:
        example = "[true, false]" if kind == "flag" else "[...]"
        return field.fail(f"{name} takes no numbers of a range: write {{choices: {example}}}")
    if not low < high:
        return field.fail(f"low {low:g} must be below high {high:g} (one value is written `{name}: {low:g}`)")
    if read.log and read.step is not None:
        return field.fail("`step` divides a linear range, `log` has none: drop one of them")
    if read.log and low <= 0:
        return field.fail(f"a logarithmic range starts above 0, not at {low:g}: raise low or drop `log`")
    try:
        for bound in (low, high):
            coerce(name, bound)
    except BadValue as error:
        return field.fail(str(error))
    return _int_range(field, name, read) if kind == "whole" else _on_grid(field, read)


def _int_range(field: Field, name: str, read: FloatRange) -> IntRange | None:
    step = read.step
    if step is None:
        step = IMGSZ_STEP if name == "imgsz" and not read.log else 1
    if not float(step).is_integer():
        return field.fail(f"step {step:g} must be a whole number: {name} is one")
    if name == "imgsz" and (read.log or step % IMGSZ_STEP):
        return field.fail(
            f"imgsz moves in steps of {IMGSZ_STEP} (Ultralytics rounds up silently): use a multiple, without log"
        )
    return _on_grid(field, IntRange(int(read.low), int(read.high), read.log, int(step)))


def _on_grid(field: Field, domain: Range) -> Range | None:
    """Return the domain, unless it has steps and ``high`` is none of them (Optuna would lower it silently)."""
    low, high, step = domain.low, domain.high, domain.step
    if domain.log or step is None:
        return domain
    if step <= 0 or step > (high - low) * (1 + 1e-9):  # 0.3 - 0.25 is a little less than 0.05
        return field.fail(f"step {step:g} must be above 0 and at most high - low = {high - low:g}")
    ticks = (high - low) / step
    if abs(ticks - round(ticks)) > 1e-9 * max(1.0, ticks):
        return field.fail(
            f"high {high:g} is no whole number of steps of {step:g} above low {low:g}: "
            f"write {low + math.floor(ticks) * step:g}"
        )
    return domain


def _conditions(field: Field) -> tuple[tuple[str, tuple[Scalar, ...]], ...]:
    """Read ``{optimizer: SGD}`` or ``{optimizer: [SGD, RMSprop]}``; values are read as the parent's own."""
    entries = field.entries or {}
    if not entries:
        field.fail(f"must name a parent and its values, such as {{optimizer: [SGD, RMSprop]}}, not {shown(field.node)}")
    return tuple((parent, _parent_values(child, parent)) for parent, child in entries.items())


def _parent_values(field: Field, parent: str) -> tuple[Scalar, ...]:
    if parent not in arguments.sampleable():
        field.fail(f"unknown name{nearest(parent, arguments.sampleable())}")
        return ()
    listed = field.items if field.items is not None else [field]
    if not listed:
        field.fail("must name at least one value")
    return tuple(dict.fromkeys(_value(item, parent) for item in listed))
