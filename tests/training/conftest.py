"""Ultralytics in the tests' own process, set up as a trial's is."""

from __future__ import annotations

import os

import pytest

from hpo.training import environment


@pytest.fixture(scope="session")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever imports Ultralytics comes after this: it reads its environment when it is imported."""
    os.environ.update(environment.prepare(tmp_path_factory.mktemp("ultralytics")))
    from hpo.training import patches

    patches.apply(threads=1)
