"""Allowed values of the options of samplers and pruners."""

from __future__ import annotations

from typing import Any

from hpo.studyfile.methods.rows import MethodRow, Option, OptionValue


def value_of(option: Option) -> Any:
    """Return an allowed value of an option."""
    match option.value:
        case OptionValue.WHOLE:
            return int(option.low or 0)
        case OptionValue.REAL:
            return (option.low or 0.0) if option.high is None else option.high / 2
        case OptionValue.FLAG:
            return True
        case OptionValue.NAME:
            return option.names[0]
        case OptionValue.PRUNER:
            return "none"


def required_of(row: MethodRow) -> dict[str, Any]:
    """Return the required options of a sampler or a pruner, each with an allowed value."""
    return {option: value_of(row.options[option]) for option in row.required}
