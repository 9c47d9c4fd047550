"""Several trials of one worker on one device, in real processes: which run out of memory, and how many fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpo.launchers.forkserver import ForkserverLauncher
from hpo.orchestration import memory_admission
from hpo.orchestration.memory_admission import MemoryAdmission
from hpo.orchestration.stop import StopRequest
from hpo.orchestration.worker import Services, Worker
from hpo.orchestration.workspace import Workspace
from hpo.study.database.storage import Storage, open_storage
from hpo.study.records import AttemptRow, StudyRow
from hpo.study.session import peaks
from hpo.study.session.peaks import Load, Peak
from hpo.study.session.registry import Life
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import snapshot
from hpo.study.studies.lifecycle import create_or_join
from hpo.training import environment
from hpo.trial.vocabulary import Reason, TrialState
from tests.orchestration import hungry
from tests.soak.node import Nobody
from tests.study.session import invariants
from tests.study.support import FACTS, IDENTITY, study_spec

LIGHT = "hpo.processes"
"""A preload that imports nothing heavy."""


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with open_storage(f"sqlite:///{tmp_path / 'hpo.db'}", create=True) as opened:
        yield opened


def stored(storage: Storage, **changes: Any) -> StudyRow:
    return create_or_join(storage, study_spec(retries=1, lease_s=2.0, **changes), IDENTITY, FACTS)


def work(
    storage: Storage,
    study: StudyRow,
    folder: Path,
    entry: Any,
    slots: tuple[str, ...],
    space: MemoryAdmission | None = None,
) -> list[str]:
    """Return the slots that the worker showed at its end."""
    launcher = ForkserverLauncher(entry, LIGHT, environment.prepare(folder))
    with WorkerSession(storage, study, Life("w", slots), None) as session:
        services = Services(session, launcher, Nobody(), Nobody(), storage)
        workspace = Workspace(folder, "m.yaml", folder / "data.yaml", None, slots, memory=space)
        Worker(study, workspace, services, StopRequest()).run()
        [row] = snapshot.status(storage, study).workers
    return list(row.slots)


def attempts(storage: Storage, study: StudyRow) -> list[AttemptRow]:
    return [attempt for row in snapshot.trials(storage, study) for attempt in row.attempts]


def overlap(one: AttemptRow, other: AttemptRow) -> bool:
    assert one.ended_at is not None
    assert other.ended_at is not None
    return one.started_at < other.ended_at and other.started_at < one.ended_at


def test_who_ran_out_of_memory_beside_others_is_tried_again_alone_and_loses_no_retry(
    storage: Storage, tmp_path: Path
) -> None:
    study = stored(storage, trials=4)
    work(storage, study, tmp_path, hungry.beside_none, ("cpu",) * 3)
    rows = snapshot.trials(storage, study)
    assert [(row.state, row.counts) for row in rows] == [(TrialState.COMPLETE, True)] * 4
    invariants.check_end(storage, study)
    tried = attempts(storage, study)
    assert Reason.OOM in [attempt.reason for attempt in tried]
    again = [attempt for attempt in tried if attempt.attempt == 2]
    assert again
    for attempt in again:
        assert attempt.reason is Reason.COMPLETE
        assert not any(overlap(attempt, other) for other in tried if other is not attempt)


@pytest.mark.parametrize("slots", [1, 2])
def test_out_of_memory_alone_is_for_good(storage: Storage, tmp_path: Path, slots: int) -> None:
    study = stored(storage, trials=2)
    work(storage, study, tmp_path, hungry.never, ("cpu",) * slots)
    rows = snapshot.trials(storage, study)
    assert [(row.state, row.reason, row.counts) for row in rows] == [(TrialState.PRUNED, Reason.OOM, True)] * 2
    assert all(len(row.attempts) <= slots for row in rows)
    assert {attempt.reason for attempt in attempts(storage, study)} == {Reason.OOM}
    invariants.check_end(storage, study)


def test_slots_open_as_the_memory_that_was_seen_allows(storage: Storage, tmp_path: Path) -> None:
    """One trial before any peak is known, then as many as fit: two of 400 MiB in 90% of 1000 MiB."""
    study = stored(storage, name="most-2", trials=5)
    space = MemoryAdmission({"cpu": 1000.0}, 8, lambda: peaks.seen(storage, study))
    assert work(storage, study, tmp_path, hungry.modest, ("cpu",), space) == ["cpu"] * 2
    tried = attempts(storage, study)
    assert [attempt.peak_mib for attempt in tried] == [400] * 5
    assert {attempt.slot for attempt in tried} == {0, 1}
    assert any(overlap(one, other) for one, other in itertools.combinations(tried, 2))
    assert list(tmp_path.glob("saw-*-2"))
    assert not list(tmp_path.glob("saw-*-3"))
    invariants.check_end(storage, study)


def test_a_known_peak_of_the_same_model_opens_slots_from_the_start(storage: Storage, tmp_path: Path) -> None:
    first = stored(storage, name="first-1", trials=1)
    work(storage, first, tmp_path, hungry.modest, ("cpu",))
    second = stored(storage, name="second-2", trials=2)
    space = MemoryAdmission({"cpu": 1000.0}, 8, lambda: peaks.seen(storage, second))
    assert space.fits("cpu", [Load(4, 640)], 1)
    work(storage, second, tmp_path, hungry.modest, ("cpu",), space)
    assert overlap(*attempts(storage, second))


def test_room_counts_each_running_trial_by_its_own_batch_and_the_next_as_the_largest() -> None:
    small, large, other = Load(8, 640), Load(32, 640), Load(64, 640)
    seen = [Peak(small, False, 900.0), Peak(small, False, 1000.0), Peak(large, False, 3000.0), Peak(large, True, 9e9)]
    space = MemoryAdmission({"0": 9_900.0, "1": 3000.0}, 3, lambda: seen)
    assert space.fits("0", [large], 1)
    assert not space.fits("0", [large, large], 2)
    assert space.fits("0", [large, small, small], 2)
    assert not space.fits("0", [other, other], 2)  # never seen: counts as the largest
    assert not space.fits("1", [small], 1)
    assert not space.fits("0", [small], 3)  # no more than there are cores
    assert not MemoryAdmission({"0": 1e9}, 8, list).fits("0", [small], 1)  # no peak is known


@pytest.mark.parametrize(
    ("names", "left_mib"),
    [(("memory.max", "memory.current"), 256), (("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"), 256)],
)
def test_a_control_groups_limit_is_less_than_the_machine_has(
    tmp_path: Path, names: tuple[str, str], left_mib: int
) -> None:
    (tmp_path / "memory").mkdir()
    limit, used = (tmp_path / name for name in names)
    limit.write_text(f"{300 * 2**20}\n")
    used.write_text(f"{44 * 2**20}\n")
    assert memory_admission.free_host_mib(tmp_path) == left_mib
    limit.write_text("max\n")
    assert memory_admission.free_host_mib(tmp_path) > 256
