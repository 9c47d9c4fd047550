"""The checks of ``hpo doctor`` that ask what a study needs: folders, devices, the database, MLflow, a study's data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hpo.errors import HpoError
from hpo.settings import Settings
from hpo.wiring import machine

Level = Literal["ok", "warn", "fail"]
Finding = tuple[Level, str]
"""Whether something is in the way, and a line of text with the way out."""
GIB = 1024**3
SHM = Path("/dev/shm")  # noqa: S108  (the name of the machine's shared memory)
LEAST_FREE = GIB
"""Bytes of disk below which nothing can be trained."""
LEAST_SHM = 32 * 1024**2
"""Bytes below which processes that load images break."""
CLOCK_S = 30.0
"""Seconds that the clocks of machines may differ before curves and durations mislead."""


@dataclass(frozen=True)
class Patient:
    """What is looked at."""

    settings: Settings
    study: str | None = None
    data: Path | None = None


def folder(patient: Patient) -> Finding:
    """Check that HPO_HOME can be written, by a file that is removed again, and has room."""
    home = patient.settings.home
    existing = next(place for place in (home, *home.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return "fail", f"HPO_HOME {home}: {error.strerror}; name another folder in HPO_HOME"
    return room(home, shutil.disk_usage(existing).free)


def room(home: Path, free: int) -> Finding:
    """Judge the free bytes of a disk."""
    said = f"HPO_HOME {home}: {free / GIB:.1f} GiB free"
    if free < LEAST_FREE:
        return "fail", f"{said}: make room, or name a folder on another disk in HPO_HOME"
    return ("ok" if free > 5 * GIB else "warn"), said


def shared_memory(_patient: Patient) -> Finding:
    """Check the memory through which processes that load images hand them over."""
    try:
        usage = shutil.disk_usage(SHM)
    except OSError:
        return shm(0, 0)
    return shm(usage.total, usage.free)


def shm(total: int, free: int) -> Finding:
    """Judge the size of /dev/shm, and what is free of it, in bytes."""
    said = f"{SHM}: {free / GIB:.2f} of {total / GIB:.2f} GiB free"
    way_out = "give a container more (docker run --shm-size 8g), or train with `workers: 0`"
    if free < LEAST_SHM:
        return "fail", f"{said}: {way_out}"
    return ("ok", said) if total >= GIB else ("warn", f"{said}: {way_out}")


def gpu(patient: Patient) -> Finding:
    """Ask torch for its devices; a GPU that the machine has and torch can't use is in the way."""
    try:
        with tempfile.TemporaryDirectory() as aside:  # so that nothing is made in HPO_HOME, which may be read-only
            found = machine.devices(replace(patient.settings, home=Path(aside)))
    except HpoError as error:
        return "fail", str(error)
    return graphics(found, here=Path("/dev/nvidiactl").exists(), hidden="CUDA_VISIBLE_DEVICES" in os.environ)


def graphics(found: list[str], *, here: bool, hidden: bool) -> Finding:
    """Judge the GPUs that torch ``found``. ``here``: the driver has one; ``hidden``: the user chose which are seen."""
    if found:
        return "ok", "GPU: " + ", ".join(found)
    if here and not hidden:
        return "fail", "a GPU is here and torch can't use it: install a torch for CUDA, or a newer driver (nvidia-smi)"
    return "warn", "no GPU that torch can use: trials train on the CPU"


def database(patient: Patient) -> Finding:
    """Ask the database for its version, the role's rights and the tables."""
    from hpo.study.database import health

    try:
        found = health.look(patient.settings.storage_url)
    except HpoError as error:
        return "fail", str(error)
    if found.problem:
        return "fail", f"database {found.place}: {found.problem}"
    tables = "no tables yet" if found.schema is None else f"schema {found.schema}, {found.studies} studies"
    return "ok", f"database {found.place}: {found.server}, {tables}; this role may read and write"


def clock(patient: Patient) -> Finding:
    """Compare this machine's clock with the database's."""
    from hpo.study.database import health

    try:
        return ahead(health.look(patient.settings.storage_url).clock_s)
    except HpoError:
        return "warn", "clock: the database does not answer, so there is none to compare with"


def ahead(seconds: float) -> Finding:
    """Judge how far this machine's clock is ahead of the database's."""
    if abs(seconds) < CLOCK_S:
        return "ok", f"clock: within {max(1, round(abs(seconds)))} s of the database's"
    way = "ahead of" if seconds > 0 else "behind"
    return (
        "fail",
        f"clock: {abs(seconds):.0f} s {way} the database's: set the wrong one (timedatectl set-ntp true)",
    )


def mlflow(patient: Patient) -> Finding:
    """Ask MLflow, and for the right to write."""
    from hpo.tracking import health

    try:
        return "ok", health.look(patient.settings.tracking_uri)
    except HpoError as error:
        return "fail", " ".join(str(error).splitlines())


def data(patient: Patient) -> Finding:
    """Read the data of the study that is named, and compare it."""
    from hpo.study.database.storage import open_storage
    from hpo.study.studies import lifecycle, places
    from hpo.wiring.same_data import same_data

    if patient.study is None:
        return "ok", "data: name a study to have its data read and compared: hpo doctor STUDY"
    settings = patient.settings
    try:
        with open_storage(settings.storage_url, create=False, home=settings.home) as storage:
            study = lifecycle.load(storage, patient.study)
            source = places.data(storage, study, patient.data)
        same_data(study, source, settings, "with --data")
    except HpoError as error:
        return "fail", " ".join(str(error).splitlines())
    except OSError as error:
        return "fail", f"data: {error.filename}: {error.strerror}: make it readable for you"
    return "ok", f"data {source}: readable, and that of study {study.name!r}"


CHECKS: tuple[Callable[[Patient], Finding], ...] = (gpu, shared_memory, folder, database, clock, mlflow, data)
