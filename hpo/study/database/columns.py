"""Columns that hold JSON as text: readable in every database, and exact for values that are hashed."""

from __future__ import annotations

import json
from typing import Any, Protocol

from sqlalchemy import Dialect, Text, TypeDecorator
from typing_extensions import override

from hpo.study.database.damage import Damaged


class Document(Protocol):
    """A value with a JSON form, which is stored as text.

    The two methods are each other's inverse, and what they read and write keeps its meaning: old rows stay readable.
    """

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form.

        Returns:
            A new dict of what Python's ``json`` can write; NaN and infinities are allowed.
        """
        ...

    @staticmethod
    def from_dict(raw: dict[str, Any], /) -> Any:
        """Read the JSON form.

        Args:
            raw: What ``to_dict`` gave, perhaps in an earlier version.

        Returns:
            The value; an instance of the class.
        """
        ...


class Json(TypeDecorator[Any]):
    """A JSON value as text, or a value of one class as the text of its JSON form.

    NaN and infinities are written as Python's json writes them and read back as floats.
    """

    impl = Text
    cache_ok = True

    def __init__(self, of: type[Document] | None = None, column: str = "") -> None:
        """Make a column.

        Args:
            of: The class of every value in the column; None for plain JSON.
            column: Its name with its table's, for messages.
        """
        super().__init__()
        self.of = of
        self.column = column

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return json.dumps(value if self.of is None else value.to_dict())

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        try:
            raw = json.loads(value)
            return raw if self.of is None else self.of.from_dict(raw)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Damaged(self.column, value, error) from error
