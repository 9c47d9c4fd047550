"""Every way in which a training can fail has its own reason."""

from __future__ import annotations

import errno
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hpo.launchers.forkserver import Entry, ForkserverLauncher
from hpo.training.guard import DEAD_EPOCHS, MAP50, DivergenceGuard
from hpo.training.stops import Stop, classify
from hpo.trial.paths import AttemptPaths
from hpo.trial.vocabulary import Reason
from tests.conftest import Talk
from tests.training import entries


@pytest.mark.parametrize(
    ("entry", "reason", "words"),
    [
        (entries.out_of_device_memory, Reason.OOM, "batch=4"),
        (entries.out_of_host_memory, Reason.HOST_OOM, "memory"),
        (entries.full_disk, Reason.DISK, "No space left"),
        (entries.bug, Reason.CRASH, "ZeroDivisionError: a bug of ours"),
    ],
)
def test_a_failed_training_ends_with_its_reason(
    launcher: ForkserverLauncher, request_for: Any, entry: Entry, reason: Reason, words: str
) -> None:
    request = request_for()
    talk = Talk(launcher._spawn(entry, request.to_json()))
    assert talk.ended.reason is reason
    assert words in talk.ended.detail
    assert talk.ended.value is None
    assert talk.exit_code == 0


def test_the_trace_of_a_crash_is_in_the_attempts_log(launcher: ForkserverLauncher, request_for: Any) -> None:
    request = request_for()
    Talk(launcher._spawn(entries.bug, request.to_json()))
    log = AttemptPaths(Path(request.folder)).log.read_text()
    assert "Traceback" in log
    assert "a bug of ours" in log


def test_a_full_disk_is_found_behind_what_wraps_it() -> None:
    error = RuntimeError("PytorchStreamWriter failed writing file")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert classify(error)[0] is Reason.DISK


def test_a_stop_keeps_its_reason() -> None:
    assert classify(Stop(Reason.PRUNED, "")) == (Reason.PRUNED, "")


HEALTHY = {"train/cls_loss": 3.0, "val/box_loss": 1.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_divergence(value: float) -> None:
    assert "val/box_loss" in (DivergenceGuard().epoch(HEALTHY | {"val/box_loss": value}, 0.1) or "")


def test_a_class_loss_over_ten_times_the_first_epochs_is_divergence() -> None:
    guard = DivergenceGuard()
    assert guard.epoch(HEALTHY, 0.1) is None
    assert guard.epoch(HEALTHY | {"train/cls_loss": 30.0}, 0.1) is None
    assert guard.epoch(HEALTHY | {"train/cls_loss": 30.1}, 0.1) is not None


def test_zero_from_the_start_is_never_divergence() -> None:
    guard = DivergenceGuard()
    assert all(guard.epoch(HEALTHY | {MAP50: 0.0}, 0.0) is None for _ in range(50))


def test_a_map_of_zero_for_three_epochs_after_having_learned_is_divergence() -> None:
    guard = DivergenceGuard()
    assert guard.epoch(HEALTHY | {MAP50: 0.051}, 0.0) is None
    died = [guard.epoch(HEALTHY | {MAP50: 0.0}, 0.0) is None for _ in range(DEAD_EPOCHS)]
    assert died == [True, True, False]


def test_a_recovery_in_between_starts_the_count_again() -> None:
    guard = DivergenceGuard()
    for map50 in (0.2, 0.0, 0.0, 0.1, 0.0, 0.0):
        assert guard.epoch(HEALTHY | {MAP50: map50}, 0.0) is None


def test_an_objective_that_falls_to_zero_at_its_operating_point_is_no_divergence() -> None:
    guard = DivergenceGuard()
    assert guard.epoch(HEALTHY | {MAP50: 0.3}, 0.2) is None
    assert all(guard.epoch(HEALTHY | {MAP50: 0.3}, 0.0) is None for _ in range(2 * DEAD_EPOCHS))
    notes = DivergenceGuard(**asdict(guard))  # as a checkpoint holds it
    assert notes.epoch(HEALTHY | {MAP50: 0.3}, 0.0) is None


def test_an_objective_that_is_not_finite_is_divergence() -> None:
    assert "the objective is not finite" in (DivergenceGuard().epoch(HEALTHY | {MAP50: 0.3}, float("nan")) or "")
