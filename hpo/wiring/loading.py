"""A study file, with its files where they were found last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import SpecError
from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.study.studies.places import Kind
    from hpo.studyfile.loader import Loaded

_KINDS: dict[str, Kind] = {
    "data": "data",
    "model": "model",
    "train.pretrained": "pretrained",
    "train.distill_model": "distill_model",
}
"""Keys of a study file that name a file, and what its place is remembered as."""


def load(given: Path | Mapping[str, Any], overrides: Sequence[str], settings: Settings) -> Loaded:
    """Return the study of a file, with its data, model and weights where they were found last if the file names a place
    without them.
    """
    from hpo.studyfile import loader

    try:
        return loader.load(given, overrides)
    except SpecError as error:
        missing = {problem.path for problem in error.problems}
        try:
            moved = list(_remembered(missing, given, overrides, settings))
            return loader.load(given, [*overrides, *moved])
        except LookupError:
            raise error from None


def _remembered(
    missing: Iterable[str], given: Path | Mapping[str, Any], overrides: Sequence[str], settings: Settings
) -> Iterable[str]:
    """Yield an override for each key in ``missing``: the place where its file was found last. Raises LookupError."""
    from hpo.study.studies import places
    from hpo.studyfile import loader

    name = loader.name_in(given, overrides)
    for key in missing:
        found = None if name is None else places.known(settings.home, name, _KINDS[key])
        if found is None or any(override.startswith(f"{key}=") for override in overrides):
            raise LookupError(key)
        yield f"{key}={json.dumps(str(found))}"
