"""Rows as values, and the conditions that select the rows of one trial."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Row, Table, and_

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)


def value_of(kind: type[T], row: Row[Any], **other: Any) -> T:
    """Return a ``kind`` with the row's columns as its fields; ``other`` gives the fields that are no columns."""
    named = (field.name for field in fields(kind) if field.name not in other)
    return kind(**{name: getattr(row, name) for name in named}, **other)


def of_trial(table: Table, study_id: int, number: int) -> ColumnElement[bool]:
    return and_(table.c.study_id == study_id, table.c.number == number)
