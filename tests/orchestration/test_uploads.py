"""Checkpoints on their way to the artifact store, with a real database and a store that is a folder."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from sqlalchemy import select, update

from hpo.orchestration.resumption import Resumption
from hpo.orchestration.uploads import Uploads
from hpo.study import snapshot
from hpo.study.lifecycle import create_or_join
from hpo.study.recording import Place
from hpo.study.records import Proposal, StudyRow
from hpo.study.storage import Storage, open_storage
from hpo.study.tables import attempts, claims
from hpo.study.worker_session import WorkerSession
from hpo.trial import checkpoints
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason
from tests.conftest import ROOT
from tests.orchestration.stores import FolderStore, never
from tests.study.support import FACTS, IDENTITY, ended, epoch_report, study_spec


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


class Attempt:
    """One that trains when it is told to, in a folder of its own on node ``node``."""

    def __init__(self, session: WorkerSession, uploads: Uploads, node: Path) -> None:
        proposal = session.admit()
        assert proposal is not None
        self.session, self.uploads = session, uploads
        self.paths = AttemptPaths.of(node, proposal.number, proposal.attempt)
        self.paths.checkpoints.mkdir(parents=True)
        store = uploads._store
        self.start = Resumption(proposal, self.paths, store, never).start()
        self.proposal: Proposal = replace(proposal, resume_epoch=self.start.epoch)
        self.done = self.start.known
        begin_at(session, proposal, self.paths.folder, self.start.epoch)
        uploads.follow(self.proposal, self.paths)

    @property
    def token(self) -> str:
        return self.proposal.token

    def epochs(self, *epochs: int) -> None:
        for epoch in epochs:
            self.session.report(self.token, epoch_report(epoch, epoch / 100))
            checkpoints.write(self.paths.checkpoints, epoch, self.token, lambda file: file.write(b"state" * 1000))
            self.session.checkpointed(self.token, epoch, str(checkpoints.path_of(self.paths.checkpoints, epoch)))
            self.uploads.checkpointed(self.token)

    def ends(self, reason: Reason) -> None:
        self.session.end(self.token, ended(reason, 0.5 if reason is Reason.COMPLETE else None))
        self.uploads.forget(self.token)

    def wait_for_upload(self, epoch: int) -> None:
        wait_for(lambda: epoch in self.uploaded())

    def uploaded(self) -> list[int]:
        rows = self.session._context.storage
        mine = select(attempts.c.uploads).where(attempts.c.token == self.token)
        raw = rows.read(lambda connection: connection.execute(mine).scalar_one())
        return [int(upload["epoch"]) for upload in raw]


def begin_at(session: WorkerSession, proposal: Proposal, folder: Path, epoch: int) -> None:
    train = {"epochs": 10, "warmup_epochs": 0.0}
    place = Place(str(folder))
    session.begin(proposal.token, train=train, operating_point=None, place=place, resumed_from=epoch)


@pytest.fixture
def attempt_on(session: WorkerSession, store: FolderStore, tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    made: list[Uploads] = []

    def make(node: str, every_s: float = 0.0) -> Attempt:
        made.append(Uploads(session, store, every_s))
        return Attempt(session, made[-1], tmp_path / node)

    yield make
    for uploads in made:
        uploads.close(10)


Make = Callable[..., Attempt]


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


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
    """By itself, or because somebody is in a hurry."""
    attempt = attempt_on("a", every_s=3600)
    attempt.epochs(1)
    store.gate.clear()
    assert not attempt.uploads.hand_over(attempt.token, within_s, lambda: within_s > 1)
    attempt.session.give_back(attempt.token, 1, None)
    store.gate.set()
    attempt.uploads.close(30)
    assert store.files() == []  # who gave the trial back deletes what came too late
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


def curve(storage: Storage, study: StudyRow, number: int) -> list[tuple[int, int]]:
    return [(row.epoch, row.attempt) for row in snapshot.epochs(storage, study, number)]


def test_another_machine_goes_on_from_the_upload(
    attempt_on: Make, storage: Storage, study: StudyRow, store: FolderStore, tmp_path: Path
) -> None:
    first = attempt_on("a")
    first.epochs(1, 2, 3)
    wait_for(lambda: 3 in first.uploaded())
    store.away = True
    first.epochs(4)
    (tmp_path / "a").rename(tmp_path / "out of reach")
    first.ends(Reason.KILLED)
    store.away = False
    second = attempt_on("b")
    assert (second.start.epoch, second.start.known) == (3, 3)
    second.epochs(4, 5)
    assert curve(storage, study, second.proposal.number) == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]


def test_a_fallback_to_an_earlier_epoch_leaves_no_gap_and_no_double(
    attempt_on: Make, storage: Storage, study: StudyRow, session: WorkerSession, store: FolderStore, tmp_path: Path
) -> None:
    """The retry was queued where the newest checkpoint lay; it is taken up where that one does not."""
    first = attempt_on("a")
    first.epochs(1, 2)
    wait_for(lambda: 2 in first.uploaded())
    store.away = True
    first.epochs(3, 4, 5)
    first.ends(Reason.CRASH)
    (tmp_path / "a").rename(tmp_path / "out of reach")
    store.away = False
    second = attempt_on("b")
    assert (second.start.epoch, second.start.known) == (2, 2)
    assert curve(storage, study, second.proposal.number) == [(1, 1), (2, 1)]
    second.epochs(3)
    assert curve(storage, study, second.proposal.number) == [(1, 1), (2, 1), (3, 2)]
    trial = optuna.load_study(study_name=study.name, storage=storage.optuna).trials[second.proposal.number]
    held = {step: value for step, value in trial.intermediate_values.items() if not math.isnan(value)}
    assert held == {1: 0.01, 2: 0.02, 3: 0.03}


def test_a_machine_that_has_more_than_was_copied_reports_the_rest(
    attempt_on: Make, storage: Storage, study: StudyRow, tmp_path: Path
) -> None:
    first = attempt_on("a", every_s=3600)
    first.epochs(1, 2)
    assert first.uploads.hand_over(first.token, 60, never)
    first.epochs(3, 4)
    (tmp_path / "a").rename(tmp_path / "unplugged")
    first.ends(Reason.KILLED)  # settled by a machine that sees the upload alone
    (tmp_path / "unplugged").rename(tmp_path / "a")
    again = attempt_on("a", every_s=3600)
    assert (again.start.epoch, again.start.known) == (4, 2)


@pytest.mark.parametrize("damage", ["newest upload", "both uploads", "gone"])
def test_a_damaged_upload_falls_back_to_the_one_before_then_to_the_start(
    attempt_on: Make, store: FolderStore, tmp_path: Path, damage: str
) -> None:
    first = attempt_on("a")
    for epoch in (1, 2):
        first.epochs(epoch)
        first.wait_for_upload(epoch)
    (tmp_path / "a").rename(tmp_path / "out of reach")
    first.ends(Reason.KILLED)
    files = sorted(store.root.rglob("*.pt"), reverse=True)
    for file in files[: 1 if damage == "newest upload" else 2]:
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(b"x" * file.stat().st_size)
    assert attempt_on("b").start.epoch == (1 if damage == "newest upload" else 0)


def test_a_worker_killed_between_an_upload_and_its_row_costs_that_upload_alone(
    storage: Storage, study: StudyRow, attempt_on: Make, store: FolderStore, tmp_path: Path
) -> None:
    code = (
        "import sys, time; from pathlib import Path; from hpo.study.lifecycle import load\n"
        "from hpo.study.storage import open_storage; from hpo.study.worker_session import WorkerSession\n"
        "from hpo.orchestration.uploads import Uploads\n"
        "from tests.orchestration.stores import DeadlyStore, FolderStore, never\n"
        "from tests.orchestration.test_uploads import Attempt\n"
        "url, root = sys.argv[1], Path(sys.argv[2])\n"
        "with open_storage(url, create=False) as storage:\n"
        "    session = WorkerSession(storage, load(storage, 'digits'), 'dying', None)\n"
        "    first = Attempt(session, Uploads(session, FolderStore(root / 'store'), 3600), root / 'dead')\n"
        "    first.epochs(1, 2); assert first.uploads.hand_over(first.token, 60, never)\n"
        "    first.uploads._store = DeadlyStore(root / 'store')\n"
        "    first.epochs(3); first.uploads.hand_over(first.token, 60, never)\n"
    )
    url = storage.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", code, url, str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(store.files()) == 2
    (tmp_path / "dead").rename(tmp_path / "out of reach")
    second = attempt_on("b")
    assert (second.start.epoch, second.start.known) == (2, 2)
    second.epochs(3)
    second.ends(Reason.COMPLETE)
    wait_for(lambda: store.files() == [])  # what no row ever named too
