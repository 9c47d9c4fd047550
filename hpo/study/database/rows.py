"""Rows as values, and the conditions that select the rows of one trial."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Row, Table, and_

from hpo.study.database.damage import Damaged

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)


def value_of(kind: type[T], row: Row[Any], **other: Any) -> T:
    """Return a ``kind`` with the row's columns as its fields; ``other`` gives the fields that are no columns."""
    values = {name: other[name] if name in other else getattr(row, name) for name in _names(kind)}
    for name, types in _numbers(kind):
        if not isinstance(values[name], types):
            raise Damaged(name, values[name], "no number")
    return kind(**values)


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "int | None": (int, NoneType),
    "float | None": (int, float, NoneType),
}
"""Types of numbers by their annotation: a column of SQLite takes any value."""


@cache
def _numbers(kind: type[DataclassInstance]) -> tuple[tuple[str, tuple[type, ...]], ...]:
    return tuple((field.name, _TYPES[str(field.type)]) for field in fields(kind) if str(field.type) in _TYPES)


def of_trial(table: Table, study_id: int, number: int) -> ColumnElement[bool]:
    return and_(table.c.study_id == study_id, table.c.number == number)
