"""Ultralytics in the tests' own process, set up as in a trial's process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpo.training import environment
from tests.training.support import NO_SHARED, Subject, cropped, resolved, shared


@pytest.fixture(scope="session")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Set the environment before any import of Ultralytics, which reads it when it is imported."""
    os.environ.update(environment.prepare(tmp_path_factory.mktemp("ultralytics")))
    from hpo.training.ultralytics_internals import patches

    patches.apply(threads=1)


@pytest.fixture(scope="session")
def digits(trained: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory, ultralytics: None) -> Subject:
    """Return a detector that this session has trained, with its own data."""
    return Subject(trained, resolved(scenes, tmp_path_factory.mktemp("digits")), 96)


@pytest.fixture(scope="session")
def mixed_digits(digits: Subject, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Return the same detector, with images of several aspect ratios."""
    return Subject(digits.weights, cropped(scenes, tmp_path_factory.mktemp("mixed")), 96)


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory, ultralytics: None) -> Subject:
    """Return a larger detector with microscope images, if the checkout has one beside it."""
    folder = shared()
    if folder is None:
        pytest.skip(NO_SHARED)
    data = resolved(folder / "data" / "bccd" / "data.yaml", tmp_path_factory.mktemp("cells"))
    return Subject(folder / "models" / "bccd-yolov8n-224.pt", data, 224)


@pytest.fixture(scope="session")
def mixed_cells(cells: Subject, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = shared()
    assert folder is not None
    data = cropped(folder / "data" / "bccd" / "data.yaml", tmp_path_factory.mktemp("mixed-cells"))
    return Subject(cells.weights, data, 224)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    """Return the subject that the test's parameter names (the name of its fixture); no other subject is made."""
    found: Subject = request.getfixturevalue(request.param)
    return found
