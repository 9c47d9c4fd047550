"""Slow fixtures: made once in a test run and shared by its processes (the workers of pytest-xdist)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def place(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this test run see."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder ``name`` filled by ``make``: the first process makes it, the others wait for it."""
    folder = place(factory) / name
    made = folder.with_name(f"{name}.made")
    with FileLock(f"{folder}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a process whose ``make`` failed
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def copy_of(data: Path, folder: Path) -> Path:
    """Return the data.yaml of a copy of the shared dataset in ``folder``; a test may change this copy."""
    # no label caches: plain trainings of other tests write and rename them at the same time
    shutil.copytree(data.parent, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.cache*"))
    copied = folder / data.name
    copied.write_text(data.read_text().replace(str(data.parent), str(folder)))
    return copied
