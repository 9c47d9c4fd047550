"""The types of the rows in the tables of samplers and pruners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST = 1_000_000
"""Largest value of an option without a bound of its own."""


class OptionValue(StrEnum):
    """The type of an option's value."""

    WHOLE = "whole"
    REAL = "real"
    FLAG = "flag"
    NAME = "name"
    PRUNER = "pruner"
    """A pruner that this one wraps. Optuna calls the argument ``<option>_pruner``."""


@dataclass(frozen=True)
class Option:
    """An argument of Optuna's class that a study file may set."""

    value: OptionValue
    low: float | None = None
    """Smallest allowed value; None for no bound."""
    high: float = MOST
    """Largest allowed value."""
    names: tuple[str, ...] = ()


COUNT = Option(OptionValue.WHOLE, 0)
FROM_1 = Option(OptionValue.WHOLE, 1)
FROM_2 = Option(OptionValue.WHOLE, 2)
FLAG = Option(OptionValue.FLAG)
FACTOR = Option(OptionValue.WHOLE, 2, 10_000)
RATE = Option(OptionValue.WHOLE, 0, 100)
"""A power of ``FACTOR``."""
SHARE = Option(OptionValue.REAL, 0.0, 1.0)


class Follows(StrEnum):
    """A default that is derived from the training."""

    FIRST = "the first epoch whose report says something"
    EPOCHS = "the epochs of a trial"


@dataclass(frozen=True)
class Halving:
    """Decides at ``min_resource`` times the powers of ``reduction_factor``; a missed decision is made later."""


@dataclass(frozen=True)
class Every:
    """Decides from an epoch on, at an interval; a missed decision is left out."""

    start: str
    """Name of the option with the first epoch."""
    interval: str | None = None
    """Name of the option with the interval; None for every epoch."""


@dataclass(frozen=True)
class PatientSchedule:
    """Decides where ``wrapped`` does (at each report without one), but not before ``patience`` + 2 reports."""


@dataclass(frozen=True)
class Never:
    """Stops no trial."""


Schedule = Halving | Every | PatientSchedule | Never
"""Times at which a pruner decides; ``hpo.studyfile.planning.rungs`` computes the epochs."""


@dataclass(frozen=True)
class Conflict:
    """Options that Optuna's constructor refuses together."""

    options: tuple[tuple[str, Any], ...]
    """Pairs of an option and its value. The conflict exists where all are given."""
    message: str


@dataclass(frozen=True)
class MethodRow:
    """The data of a sampler or a pruner."""

    optuna: str
    """Name of Optuna's class."""
    does: str
    """Description for people; half a sentence."""
    options: Mapping[str, Option] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """Arguments of the class that can't be set, with the message for each."""
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True)
class SamplerRow(MethodRow):
    """The data of a sampler."""

    refused: Mapping[str, str] = field(default_factory=lambda: {"seed": "is set by `search.seed`"})
    enumerates: bool = False
    """Whether it tries each point of a finite space, and nothing else."""


@dataclass(frozen=True)
class PrunerRow(MethodRow):
    """The data of a pruner."""

    schedule: Schedule = field(kw_only=True)
    """Times at which it decides."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values of options that the file leaves out, where they are not Optuna's; a ``Follows`` is computed."""
    keeps_notes: bool = False
    """Whether it compares trials by what it has noted on them, and not by their values alone."""
