"""Versions that a trial's result depends on: which may differ between the workers of a study, and which may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

COMPARED = ("ultralytics", "torch", "hpo")
"""Packages whose version must be the study's: another one may train something else from the same values."""
WAY_OUT = (
    "install the study's versions here, or train with these and mix results that may not compare: --allow-versions "
    "(in Python: allow_versions=True)"
)
_EXACT = frozenset({"ultralytics"})
"""Packages whose build tag counts too: a build of one's own may train anything."""


def alike(package: str, one: str, other: str) -> bool:
    """Return whether two versions count as the same: ``2.15.0+cu130`` is ``2.15.0``, built for another machine."""
    return one == other if package in _EXACT else _release(one) == _release(other)


def differences(study: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return a line for each package of another version than the study's; a version that is not known differs from
    none.
    """
    return [
        f"{package}: the study was made with {study[package]}, here is {here[package]}"
        for package in COMPARED
        if package in study and package in here and not alike(package, study[package], here[package])
    ]


def used_beside(study: Mapping[str, str], attempts: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the versions that attempts were trained with and that are not the study's, by package.

    ``attempts`` holds what was effective in each; those of older databases lack some packages.
    """
    found: dict[str, set[str]] = {}
    for effective in attempts:
        for package in COMPARED:
            used = effective.get(package)
            if used is not None and package in study and not alike(package, study[package], str(used)):
                found.setdefault(package, set()).add(str(used))
    return {package: sorted(used) for package, used in found.items()}


def _release(version: str) -> str:
    return version.partition("+")[0]
