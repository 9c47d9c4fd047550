"""Uploads of checkpoints to the artifact store, with a real database and a store that is a folder."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hpo.study.database.storage import Storage
from hpo.study.database.tables import attempts, claims
from hpo.study.records import StudyRow
from hpo.trial.vocabulary import Reason
from tests.orchestration.attempts import Make, wait_for
from tests.orchestration.stores import FolderStore, never


def test_two_uploads_stay_and_none_once_the_trial_has_ended(attempt_on: Make, store: FolderStore) -> None:
    attempt = attempt_on("a")
    for epoch in (1, 2, 3, 4):
        attempt.epochs(epoch)
        attempt.wait_for_upload(epoch)
    wait_for(lambda: sorted(attempt.uploaded()) == [3, 4])
    wait_for(lambda: len(store.files()) == 2)
    attempt.ends(Reason.COMPLETE)
    wait_for(lambda: attempt.uploaded() == [])
    assert store.files() == []


def test_a_row_that_names_another_place_keeps_no_upload_in_the_store_and_loses_nothing(
    attempt_on: Make, store: FolderStore, storage: Storage, tmp_path: Path
) -> None:
    mine = tmp_path / "mine" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    attempt = attempt_on("a")
    attempt.epochs(1)
    attempt.wait_for_upload(1)
    named = [{"epoch": 9, "sha256": "0" * 64, "location": str(mine)}]
    storage.execute(update(attempts).values(uploads=[*named, *stored_uploads(storage)]))
    attempt.ends(Reason.COMPLETE)
    wait_for(lambda: attempt.uploaded() == [])
    assert store.files() == []
    assert mine.read_text() == "precious"


def stored_uploads(storage: Storage) -> list[dict[str, Any]]:
    rows = storage.read(lambda connection: connection.execute(select(attempts.c.uploads)).scalars().all())
    return [each for row in rows for each in row]


def test_nothing_is_uploaded_before_it_is_due(attempt_on: Make, store: FolderStore) -> None:
    attempt = attempt_on("a", every_s=3600)
    attempt.epochs(1, 2)
    assert attempt.uploads.hand_over(attempt.token, 60, never)
    assert attempt.uploaded() == [2]
    assert len(store.files()) == 1


def test_handing_over_is_one_try_where_the_store_is_away(attempt_on: Make, store: FolderStore) -> None:
    attempt = attempt_on("a", every_s=3600)
    attempt.epochs(1)
    store.away = True
    assert not attempt.uploads.hand_over(attempt.token, 60, never)
    assert attempt.uploaded() == []


@pytest.mark.parametrize("within_s", [0.3, 60.0])
def test_handing_over_ends_when_its_time_has_come(attempt_on: Make, store: FolderStore, within_s: float) -> None:
    """The upload happens in its turn, or at once on request."""
    attempt = attempt_on("a", every_s=3600)
    attempt.epochs(1)
    store.gate.clear()
    assert not attempt.uploads.hand_over(attempt.token, within_s, lambda: within_s > 1)
    attempt.session.give_back(attempt.token, 1, None)
    store.gate.set()
    attempt.uploads.close(30)
    assert store.files() == []  # the caller that gave the trial back deletes late uploads
    assert attempt.uploaded() == []


def test_a_store_that_was_away_gets_what_is_newest_then(attempt_on: Make, store: FolderStore) -> None:
    store.away = True
    attempt = attempt_on("a")
    attempt.epochs(1)
    wait_for(lambda: store.tries > 0)
    attempt.epochs(2, 3)
    store.away = False
    wait_for(lambda: attempt.uploaded() != [])
    assert attempt.uploaded()[-1] == 3


def test_who_lost_the_trial_leaves_nothing_in_the_store(
    attempt_on: Make, store: FolderStore, storage: Storage, study: StudyRow
) -> None:
    attempt = attempt_on("a", every_s=3600)
    store.gate.clear()
    attempt.epochs(1)
    seized = update(claims).where(claims.c.token == attempt.token).values(token=str(uuid.uuid4()))
    storage.write(lambda connection: connection.execute(seized))
    store.gate.set()
    assert not attempt.uploads.hand_over(attempt.token, 60, never)
    wait_for(lambda: store.files() == [])
    tries = store.tries
    attempt.uploads.checkpointed(attempt.token)
    attempt.uploads.close(10)
    assert store.tries == tries
    assert attempt.uploaded() == []
