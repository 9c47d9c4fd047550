"""JSON in the tags of MLflow's runs, which whoever reaches MLflow may change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def document(tags: Mapping[str, str], name: str, kind: type[Any]) -> Any:
    """Return the value of a tag; an empty ``kind`` (dict, list) where there is no such tag, or it is none of ours."""
    try:
        found = json.loads(tags.get(name, "null"))
    except (ValueError, RecursionError):
        return kind()
    return found if isinstance(found, kind) else kind()
