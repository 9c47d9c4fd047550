"""A study in a real database, and attempts at its trials on nodes that share one store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpo.orchestration.uploads import Uploads
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies.lifecycle import create_or_join
from tests.orchestration.attempts import Attempt
from tests.orchestration.stores import FolderStore
from tests.study.support import FACTS, IDENTITY, study_spec


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=True) as opened:
        yield opened


@pytest.fixture
def study(storage: Storage) -> StudyRow:
    return create_or_join(storage, study_spec(trials=2, retries=3), IDENTITY, FACTS)


@pytest.fixture
def session(storage: Storage, study: StudyRow) -> Iterator[WorkerSession]:
    with WorkerSession(storage, study, "w", None) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def attempt_on(session: WorkerSession, store: FolderStore, tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    made: list[Uploads] = []

    def make(node: str, every_s: float = 0.0) -> Attempt:
        made.append(Uploads(session, store, every_s))
        return Attempt(session, made[-1], tmp_path / node)

    yield make
    for uploads in made:
        uploads.close(10)
