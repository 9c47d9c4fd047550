"""Resources of this machine: versions, a forkserver, devices, slots and the memory for them."""

from __future__ import annotations

import json
import logging
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from hpo.errors import HpoError, StudyConflict, UsageError
from hpo.settings import Settings
from hpo.version import __version__

if TYPE_CHECKING:
    from hpo.launchers.forkserver import Entry, ForkserverLauncher
    from hpo.orchestration.memory_admission import MemoryAdmission
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow

OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""Alternative packages that hold cv2: Ultralytics requires the first; images for servers have one without windows."""
PROBE_TIMEOUT_S = 600.0
"""Seconds; weights may have to be downloaded."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlotRequest:
    """Devices and slots of a worker."""

    gpus: str = "auto"
    """``auto`` (the first GPU, else the CPU), ``all`` (the CPU if there is no GPU), ``cpu``, or indices such as
    ``0,1``.
    """
    each: int | None = 1
    """Number of slots per device; None for as many as memory allows."""


ONE_SLOT = SlotRequest()
"""One slot on the first GPU, else on the CPU."""


def versions() -> dict[str, str]:
    """Return the versions of packages that influence a result, read without importing them."""
    packages = ("optuna", "torch", "torchvision", "ultralytics", "mlflow", "numpy")
    found = {"hpo": __version__, "python": platform.python_version()}
    found |= {name: metadata.version(name) for name in packages}
    for name in OPENCV:
        with suppress(metadata.PackageNotFoundError):
            return found | {name: metadata.version(name)}
    return found


def launcher(settings: Settings) -> ForkserverLauncher:
    from hpo.launchers.forkserver import ForkserverLauncher
    from hpo.training import child, environment

    prepared = environment.prepare(settings.home)
    return ForkserverLauncher(child.main, "hpo.training.ultralytics_internals.preload", prepared)


def ask(launcher: ForkserverLauncher, task: Entry, request: str, problem: str) -> Any:
    """Return the answer of a child that runs ``task``. Raises HpoError, with ``problem``, if it gives none."""
    try:
        return json.loads(launcher.call(task, request, PROBE_TIMEOUT_S))
    except (TimeoutError, EOFError) as error:
        raise HpoError(f"{problem}: {error}") from error


def slots(settings: Settings, slot_request: SlotRequest) -> tuple[str, ...]:
    """Return the device of each slot; if memory decides the number of slots, each device once."""
    wanted, each = slot_request.gpus, slot_request.each or 1
    if wanted == "cpu" or (wanted == "auto" and slot_request.each is not None):
        return (wanted,) * each
    found = gpus(settings)
    named = {"all": found, "auto": found[:1]}
    chosen = named[wanted] if wanted in named else [part.strip() for part in wanted.split(",")]
    unknown = [index for index in chosen if index not in found]
    if unknown:
        has = f"GPUs {', '.join(found)}" if found else "no GPU"
        raise UsageError(f"--gpus {wanted}: torch sees {has} here; use all, cpu or some of these")
    return tuple(index for index in chosen for _ in range(each)) or ("cpu",) * each


def memory_admission(
    settings: Settings, storage: Storage, study: StudyRow, devices: tuple[str, ...]
) -> MemoryAdmission:
    """Return the memory admission for the memory that is free now; call this before the first trial."""
    from hpo.orchestration import memory_admission
    from hpo.study.session import peaks
    from hpo.training import probe

    free = {"cpu": memory_admission.free_host_mib()}
    if devices != ("cpu",):
        problem = "--slots-per-gpu auto: the GPUs did not tell their free memory"
        free |= ask(launcher(settings), probe.free_memory, "", problem)
    cores = len(os.sched_getaffinity(0))
    return memory_admission.MemoryAdmission(free, cores, lambda: peaks.seen(storage, study))


def devices(settings: Settings) -> list[str]:
    """Return a line for each GPU that torch can use here. Raises HpoError if torch can't even be imported."""
    from hpo.training import probe

    problem = "torch can't be used: the process that imports it gave no answer"
    found: list[str] = ask(launcher(settings), probe.devices, "", problem)
    return found


def gpus(settings: Settings) -> list[str]:
    """Return the index of each GPU that torch can use here."""
    return [line.partition(":")[0] for line in devices(settings)]


def refuse_other_versions(study: StudyRow, *, allow: bool) -> None:
    """Raise ``StudyConflict`` where this machine has other versions than the study was made with.

    With ``allow`` they are only logged.
    """
    from hpo.trial import versions as bound

    differ = bound.differences(study.facts.binding_versions, versions())
    if differ and not allow:
        way_out = f"way out: {bound.WAY_OUT}"
        raise StudyConflict(study.name, differ, way_out)
    if differ:
        log.warning("study %s: other versions are allowed: %s", study.name, "; ".join(differ))
