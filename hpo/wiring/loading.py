"""A study file, with its data where it was found last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import SpecError
from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.studyfile.loader import Loaded


def load(given: Path | Mapping[str, Any], overrides: Sequence[str], settings: Settings) -> Loaded:
    """Return the study of a file, with its data where it was found last if the file names a place without data."""
    from hpo.studyfile import loader

    try:
        return loader.load(given, overrides)
    except SpecError as error:
        if [problem.path for problem in error.problems] != ["data"]:
            raise
        try:
            moved = _remembered_data(given, overrides, settings)
            return loader.load(given, [*overrides, f"data={json.dumps(str(moved))}"])
        except LookupError:
            raise error from None


def _remembered_data(given: Path | Mapping[str, Any], overrides: Sequence[str], settings: Settings) -> Path:
    """Return the place where the data of a stored study was found last. Raises LookupError."""
    from hpo.study.studies import places
    from hpo.studyfile import loader

    name = loader.name_in(given, overrides)
    found = None if name is None else places.known(settings.home, name, "data")
    if found is None or any(override.startswith("data=") for override in overrides):
        raise LookupError(name)
    return found
