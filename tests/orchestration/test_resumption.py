"""Trials that resume from uploads, with a real database and a store that is a folder."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.trial.vocabulary import Reason
from tests.conftest import ROOT
from tests.orchestration.attempts import Make, wait_for
from tests.orchestration.stores import FolderStore, never


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
    """The retry was queued where the newest checkpoint was; a worker without that checkpoint takes it."""
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
    first.ends(Reason.KILLED)  # settled by a machine that sees only the upload
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
        "import sys, time; from pathlib import Path; from hpo.study.studies.lifecycle import load\n"
        "from hpo.study.database.storage import open_storage\n"
        "from hpo.study.session.worker_session import WorkerSession\n"
        "from hpo.orchestration.uploads import Uploads\n"
        "from tests.orchestration.stores import DeadlyStore, FolderStore, never\n"
        "from tests.orchestration.attempts import Attempt\n"
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
    wait_for(lambda: store.files() == [])  # also the files that no row ever named
