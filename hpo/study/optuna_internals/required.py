"""What happens where Optuna lacks a private name without which rows can't be read or written: words, and a way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna import __version__

from hpo.study.database.optuna_version import SUPPORTED
from hpo.study.database.storage import SchemaConflict


@contextmanager
def required() -> Iterator[None]:
    """Raise SchemaConflict where an import or an attribute of Optuna's is missing within."""
    try:
        yield
    except (ImportError, AttributeError) as error:
        raise SchemaConflict(
            f"Optuna {__version__} lacks what this hpo reads and writes trials with ({error}): "
            f"pip install 'optuna=={SUPPORTED}.0', or update hpo"
        ) from error
