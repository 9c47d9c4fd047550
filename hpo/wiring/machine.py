"""What this machine offers: versions, a forkserver, devices, slots and the memory for them."""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from hpo.errors import HpoError, UsageError
from hpo.settings import Settings
from hpo.version import __version__

if TYPE_CHECKING:
    from hpo.launchers.forkserver import ForkserverLauncher
    from hpo.orchestration.memory_admission import MemoryAdmission
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow

OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""Packages of which one holds cv2: Ultralytics asks for the first, images for servers have one without windows."""
PROBE_TIMEOUT_S = 600.0
"""Weights may have to be downloaded."""


@dataclass(frozen=True)
class SlotRequest:
    """What a worker trains on."""

    gpus: str = "auto"
    """``auto`` (the first GPU, else the CPU), ``all`` (the CPU where there is none), ``cpu``, or indices as ``0,1``."""
    each: int | None = 1
    """Slots of each; None: as many as memory allows."""


ONE_SLOT = SlotRequest()
"""A slot on the first GPU, else on the CPU."""


def versions() -> dict[str, str]:
    """Versions of what a result depends on, read from the installed packages without importing them."""
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

    return ForkserverLauncher(
        child.main, "hpo.training.ultralytics_internals.preload", environment.prepare(settings.home)
    )


def slots(settings: Settings, slot_request: SlotRequest) -> tuple[str, ...]:
    """Device of each slot; where memory decides how many there are, each device once."""
    gpus, each = slot_request.gpus, slot_request.each or 1
    if gpus == "cpu" or (gpus == "auto" and slot_request.each is not None):
        return (gpus,) * each
    found = [line.partition(":")[0] for line in devices(settings)]
    named = {"all": found, "auto": found[:1]}
    chosen = named[gpus] if gpus in named else [part.strip() for part in gpus.split(",")]
    unknown = [index for index in chosen if index not in found]
    if unknown:
        has = f"GPUs {', '.join(found)}" if found else "no GPU"
        raise UsageError(f"--gpus {gpus}: torch sees {has} here; use all, cpu or some of these")
    return tuple(index for index in chosen for _ in range(each)) or ("cpu",) * each


def memory_admission(
    settings: Settings, storage: Storage, study: StudyRow, devices: tuple[str, ...]
) -> MemoryAdmission:
    """By what is free now: to be asked before the first trial."""
    from hpo.orchestration import memory_admission
    from hpo.study.session import peaks
    from hpo.training import probe

    free = {"cpu": memory_admission.free_host_mib()}
    if devices != ("cpu",):
        try:
            free |= json.loads(launcher(settings).call(probe.free_memory, "", PROBE_TIMEOUT_S))
        except (TimeoutError, EOFError) as error:
            raise HpoError(f"--slots-per-gpu auto: the GPUs did not tell their free memory: {error}") from error
    return memory_admission.MemoryAdmission(
        memory_admission.FreeMemory(free, memory_admission.cores()), lambda: peaks.seen(storage, study)
    )


def devices(settings: Settings) -> list[str]:
    """The GPUs that torch can use here, a line each. Raises HpoError where torch can't even be imported."""
    from hpo.training import probe

    try:
        found: list[str] = json.loads(launcher(settings).call(probe.devices, "", PROBE_TIMEOUT_S))
    except (TimeoutError, EOFError) as error:
        raise HpoError(f"torch can't be used: the process that imports it gave no answer: {error}") from error
    return found
