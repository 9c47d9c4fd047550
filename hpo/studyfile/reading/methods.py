"""Readers of a sampler or a pruner with its options, by the rows of ``hpo.studyfile.methods``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hpo.studyfile.methods.pruners import PRUNERS
from hpo.studyfile.methods.rows import MOST, MethodRow, Option, OptionValue, PatientSchedule
from hpo.studyfile.methods.samplers import SAMPLERS
from hpo.studyfile.schema import Method
from hpo.studyfile.text import fields
from hpo.studyfile.text.fields import Field, Reader, shown
from hpo.studyfile.text.report import nearest


def sampler(field: Field) -> Method | None:
    return method(field, SAMPLERS, "sampler")


def pruner(field: Field) -> Method | None:
    return method(field, PRUNERS, "pruner")


def _wrapped(field: Field) -> Method | None:
    """Read a pruner that wraps none itself."""
    return method(field, {name: row for name, row in PRUNERS.items() if row.schedule != PatientSchedule()}, "pruner")


def method(field: Field, known: Mapping[str, MethodRow], what: str) -> Method | None:
    """Read ``tpe`` or ``{name: tpe, n_startup_trials: 10}``."""
    entries = field.entries
    if entries is not None and "name" not in entries:
        return field.fail(f"names no {what}: write `name: ...`{nearest('', known)}")
    name = fields.one_of(known)(field if entries is None else entries["name"])
    return None if name is None else _with_options(field, name, known[name])


def _with_options(field: Field, name: str, row: MethodRow) -> Method | None:
    before = len(field.report.problems)
    given: dict[str, Any] = {}
    for option, child in (field.entries or {}).items():
        if option == "name" or child.node.value is None:
            continue
        if option in row.options:
            given[option] = _reader(row.options[option])(child)
        else:
            child.fail(_unknown_option(name, option, row))
    for option in row.required:
        if option not in given:
            field.fail(f"{name} needs `{option}`: write {{name: {name}, {option}: ...}}")
    if len(field.report.problems) > before:
        return None
    conflict = next((each for each in row.conflicts if set(each.options) <= set(given.items())), None)
    if conflict is not None:
        return field.fail(conflict.message)
    return Method(name, tuple(sorted(given.items())))


def _unknown_option(name: str, option: str, row: MethodRow) -> str:
    if option in row.refused:
        return row.refused[option]
    if not row.options:
        return f"{name} has no options"
    return f"unknown option of {name}{nearest(option, row.options)}"


def _reader(option: Option) -> Reader:
    match option.value:
        case OptionValue.WHOLE:
            return _within(option, fields.whole)
        case OptionValue.REAL:
            return _within(option, fields.real)
        case OptionValue.FLAG:
            return fields.flag
        case OptionValue.NAME:
            return fields.one_of(option.names)
        case OptionValue.PRUNER:
            return _wrapped


def _within(option: Option, reader: Reader) -> Reader:
    low, high = -math.inf if option.low is None else option.low, option.high
    if high == MOST or option.value is OptionValue.WHOLE:
        return fields.at_most(fields.at_least(reader, low), high)

    def read(field: Field) -> float | None:
        value: float | None = reader(field)
        if value is not None and not low <= value <= high:
            return field.fail(f"must lie in {low:g} to {high:g}, not {shown(field.node)}")
        return value

    return read
