"""Readers of ``search.enqueue``: proposals that are tried first. The sampler must be able to make each of them."""

from __future__ import annotations

from hpo.studyfile.arguments.values import BadValue, coerce
from hpo.studyfile.schema import POSTPROCESSING_NAMES, StudySpec
from hpo.studyfile.space import Choices, Dimension, Domain, FloatRange, IntRange, Space, contains
from hpo.studyfile.text.fields import Field, shown
from hpo.studyfile.text.report import nearest
from hpo.trial.vocabulary import Scalar
from hpo.yamlfile.document import plain

Proposal = tuple[tuple[str, Scalar], ...]


def read_proposals(field: Field, spec: StudySpec) -> tuple[Proposal, ...]:
    """Return the readable proposals, each sorted by name, for an otherwise complete study; others are reported."""
    if field.items is None:
        field.fail(f"must be a list of proposals such as [{{lr0: 0.01}}], not {shown(field.node)}")
    return tuple(proposal for proposal in (_proposal(item, spec) for item in field.items or []) if proposal)


def _proposal(field: Field, spec: StudySpec) -> Proposal | None:
    space = spec.searched
    entries = field.entries
    if not entries:
        return field.fail(f"must be a mapping of names to values, not {shown(field.node)}")
    values: dict[str, Scalar] = {}
    for name, child in entries.items():
        dimension = space.get(name)
        if dimension is None:
            if not child.report.touches("space"):  # otherwise it may be sampled once the space is right
                child.fail(_not_sampled(name, spec))
            continue
        value = _value(child, dimension)
        if value is not None:
            values[name] = value[0]
    for name in values:
        _check_conditions(entries[name], space, values)
    return tuple(sorted(values.items()))


def _not_sampled(name: str, spec: StudySpec) -> str:
    if spec.is_swept and name in POSTPROCESSING_NAMES:
        return "is swept after each training, not proposed: drop it here; or write `postprocess: sampled`"
    space = spec.searched
    fixed = dict(space.fixed)
    if name in fixed:
        return f"is fixed at {fixed[name]} in the space: drop it here, or give it a range there"
    return f"is not sampled by this study{nearest(name, space.names)}"


def _value(field: Field, dimension: Dimension) -> tuple[Scalar] | None:
    """Return the value as the sampler would give it, in a tuple because null may be a choice; None after a problem."""
    try:
        value = coerce(dimension.name, plain(field.node))
    except BadValue as error:
        return field.fail(str(error))
    if isinstance(value, list) or not contains(dimension.domain, value):
        return field.fail(f"{shown(field.node)} lies outside the space: {describe(dimension.domain)}")
    return (value,)


def _check_conditions(field: Field, space: Space, values: dict[str, Scalar]) -> None:
    name = field.path.rsplit(".", 1)[-1]
    dimension = space.get(name)
    for condition in dimension.when if dimension is not None else ():
        wanted = " or ".join(str(value) for value in condition.values)
        if condition.parent not in values:
            field.fail(f"is sampled only where {condition.parent} is {wanted}: name {condition.parent} here too")
        elif values[condition.parent] not in condition.values:
            field.fail(f"is sampled only where {condition.parent} is {wanted}, not {values[condition.parent]}: drop it")


def describe(domain: Domain) -> str:
    """Describe a domain for people: ``0.0001 to 0.1, log``."""
    match domain:
        case Choices(values):
            return " | ".join(
                "true" if value is True else "false" if value is False else str(value) for value in values
            )
        case FloatRange(low, high, log, step):
            return f"{low:g} to {high:g}" + (", log" if log else f", step {step:g}" if step is not None else "")
        case IntRange(low, high, log, step):
            return f"{low} to {high}" + (", log" if log else f", step {step}" if step != 1 else "")
