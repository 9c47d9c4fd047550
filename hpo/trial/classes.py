"""The classes that a training knows: Ultralytics' argument ``classes``."""

from __future__ import annotations

from typing import Any


def trained(given: Any) -> frozenset[int] | None:
    """Return the class indices of the argument's value, an index or a list of them; None stands for every class."""
    if given is None:
        return None
    return frozenset(int(index) for index in (given if isinstance(given, (list, tuple)) else [given]))
