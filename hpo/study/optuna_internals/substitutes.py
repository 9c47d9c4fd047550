"""The classes that stand in for Optuna's samplers and pruners, each only where Optuna has the private names it needs.

A module of such a class lists in ``NEEDS``, by owner, the private attributes that it uses; what it imports is seen when
it is imported. Where one is missing, Optuna's public class does the work: slower, or for Hyperband with another bracket
for a retry, but a study goes on.
"""

from __future__ import annotations

import importlib
import inspect
import logging
from functools import cache
from types import ModuleType
from typing import Any

from optuna import __version__

log = logging.getLogger(__name__)
_PACKAGE = "hpo.study.optuna_internals"
CLASSES = {
    "tpe": (("tpe", "parzen", "seen_trials"), "QuickTPE"),
    "hyperband": (("hyperband",), "OrdinalHyperband"),
    "median": (("percentile", "seen_trials"), "QuickMedian"),
    "percentile": (("percentile", "seen_trials"), "QuickPercentile"),
}
"""By the name in study files: the modules that use private names, the first of which holds the class, and the class."""


@cache
def of(name: str) -> type[Any] | None:
    """The class that stands in for Optuna's sampler or pruner ``name``.

    None where there is none, and, with one warning a process, where Optuna lacks a private name that it needs.
    """
    if name not in CLASSES:
        return None
    modules, class_name = CLASSES[name]
    try:
        loaded = [importlib.import_module(f"{_PACKAGE}.{module}") for module in modules]
    except (ImportError, AttributeError) as error:
        return _missing(name, str(error))
    lacking = [private for module in loaded for private in _lacking(module)]
    if lacking:
        return _missing(name, f"it has no {', '.join(lacking)}")
    found: type[Any] = getattr(loaded[0], class_name)
    return found


def _missing(name: str, what: str) -> None:
    log.warning("Optuna %s is not the one that hpo knows (%s): its own %s is used", __version__, what, name)


def _lacking(module: ModuleType) -> list[str]:
    needs: dict[Any, tuple[str, ...]] = module.NEEDS
    return [f"{owner.__name__}.{name}" for owner, names in needs.items() for name in names if not _has(owner, name)]


def _has(owner: Any, name: str) -> bool:
    """Whether ``owner``, a class or a module, or an object that it makes, has the attribute."""
    if hasattr(owner, name):
        return True
    inits = [
        inspect.unwrap(vars(base)["__init__"]) for base in getattr(owner, "__mro__", ()) if "__init__" in vars(base)
    ]
    return any(name in init.__code__.co_names for init in inits if inspect.isfunction(init))
