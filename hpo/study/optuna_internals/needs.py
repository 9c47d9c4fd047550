"""The check which private names Optuna lacks, and the message where rows can't be read or written without them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optuna import __version__

from hpo.study.database.optuna_version import SUPPORTED
from hpo.study.database.storage import SchemaConflict

Needs = Mapping[Any, tuple[str, ...]]
"""Attributes by owner. An owner is a class (for itself or for its objects) or a module."""


@contextmanager
def required() -> Iterator[None]:
    """Raise SchemaConflict, with a way out, where an import or an attribute of Optuna's is missing inside the block."""
    try:
        yield
    except (ImportError, AttributeError) as error:
        raise SchemaConflict(
            f"Optuna {__version__} lacks what this hpo reads and writes trials with ({error}): "
            f"pip install 'optuna=={SUPPORTED}.0', or update hpo"
        ) from error


def require(needs: Needs) -> None:
    """Raise AttributeError where an attribute is missing, as ``Owner.name``; for rows call it inside ``required``."""
    missing = [f"{owner.__name__}.{name}" for owner, names in needs.items() for name in names if not _has(owner, name)]
    if missing:
        raise AttributeError(f"it has no {', '.join(missing)}")


def _has(owner: Any, name: str) -> bool:
    if hasattr(owner, name):
        return True
    own = [vars(base)["__init__"] for base in getattr(owner, "__mro__", ()) if "__init__" in vars(base)]
    inits = [inspect.unwrap(init) for init in own]
    return any(name in init.__code__.co_names for init in inits if inspect.isfunction(init))
