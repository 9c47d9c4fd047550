"""Columns that hold JSON as text: readable in every database, and exact for values that are hashed."""

from __future__ import annotations

import json
from typing import Any, Protocol

from sqlalchemy import Dialect, Text, TypeDecorator
from typing_extensions import override


class Json(TypeDecorator[Any]):
    """A JSON value as text. NaN and infinities are written as Python's json writes them and read back as floats."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Document(Protocol):
    """A value with a JSON form."""

    def to_dict(self) -> dict[str, Any]: ...

    @staticmethod
    def from_dict(raw: dict[str, Any], /) -> Any: ...


class Value(TypeDecorator[Document]):
    """A value of one class, stored as the text of its JSON form."""

    impl = Text
    cache_ok = True

    def __init__(self, of: type[Document]) -> None:
        super().__init__()
        self.of = of

    @override
    def process_bind_param(self, value: Document | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value.to_dict())

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else self.of.from_dict(json.loads(value))
