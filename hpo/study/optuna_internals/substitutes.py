"""The classes that replace Optuna's samplers and pruners, each only where Optuna has the private names it needs.

A module with such a class lists in ``NEEDS``, by owner, the private attributes that it uses; its imports are checked
when it is imported. Where a name is missing, Optuna's public class is used. It is slower, and for Hyperband a retry may
get another bracket, but the study goes on.
"""

from __future__ import annotations

import importlib
import logging
from functools import cache
from typing import Any

from optuna import __version__

from hpo.study.optuna_internals import needs

log = logging.getLogger(__name__)
_PACKAGE = "hpo.study.optuna_internals"
CLASSES = {
    "tpe": (("tpe", "parzen", "seen_trials"), "QuickTPE"),
    "hyperband": (("hyperband",), "OrdinalHyperband"),
    "median": (("percentile", "seen_trials"), "QuickMedian"),
    "percentile": (("percentile", "seen_trials"), "QuickPercentile"),
}
"""Modules that use private names (the first holds the class) and the class name, by the name in study files."""


@cache
def of(name: str) -> type[Any] | None:
    """Return our class for Optuna's sampler or pruner ``name``.

    None where there is none, or where Optuna lacks a private name that it needs; the latter gives one warning for each
    process.
    """
    if name not in CLASSES:
        return None
    modules, class_name = CLASSES[name]
    try:
        loaded = [importlib.import_module(f"{_PACKAGE}.{module}") for module in modules]
        for module in loaded:
            needs.require(module.NEEDS)
    except (ImportError, AttributeError) as error:
        log.warning("Optuna %s is not the one that hpo knows (%s): its own %s is used", __version__, error, name)
        return None
    found: type[Any] = getattr(loaded[0], class_name)
    return found
