"""The base of tables whose keys are an enumeration: each member has a row of data."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class Rowed(StrEnum):
    """Names with data: ``NAME = "name", Row(...)``. A subclass declares the type of ``row``."""

    row: Any

    def __new__(cls, key: str, row: object = None) -> Self:
        """Make the member ``key`` with its ``row``.

        ``row`` has a default only for the type checker: ``Metric("f1")`` looks a member up and makes none.
        """
        if row is None:
            raise TypeError(f"{cls.__name__.lower()} {key!r} has no row")
        member = str.__new__(cls, key)
        member._value_ = key
        member.row = row
        return member
