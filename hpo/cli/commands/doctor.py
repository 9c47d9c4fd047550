"""``hpo doctor``: the state of this machine, and the problems found."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from hpo import redaction
from hpo.cli.options import json_option, print_json, store_options
from hpo.errors import HpoError, StorageUnavailable, UsageError
from hpo.settings import Settings, load_settings, sqlite_path

Finding = tuple[str, str]
"""``ok``, ``warn`` or ``fail``, and a line of text."""
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
GIB = 1024**3


@click.command(short_help="Check this machine.")
@store_options
@json_option
def doctor(*, as_json: bool) -> None:
    """Check Python, packages, GPU, disk, the database and MLflow's store. Exit code 1 if something is in the way."""
    settings = load_settings()
    findings = []
    for check in (_python, _packages, _bytecode, _machine, _torch, _folder, _database, _mlflow):
        level, line = check(settings)
        line = redaction.redact(line)
        findings.append({"check": check.__name__.lstrip("_"), "level": level, "finding": line})
        if not as_json:
            click.echo(f"{click.style(f'{level:5}', fg=COLOURS[level])} {line}")
    if as_json:
        print_json(findings)
    if any(finding["level"] == "fail" for finding in findings):
        raise click.exceptions.Exit(1)


def _python(_settings: Settings) -> Finding:
    version = sys.version.split()[0]
    if (3, 11) <= sys.version_info < (3, 12):
        return "ok", f"Python {version}"
    return "warn", f"Python {version}: hpo is tested on 3.11"


def _packages(_settings: Settings) -> Finding:
    from hpo.wiring.machine import versions

    return "ok", ", ".join(f"{name} {version}" for name, version in versions().items() if name != "python")


def _bytecode(_settings: Settings) -> Finding:
    import importlib.util

    spec = importlib.util.find_spec("ultralytics")
    origin = None if spec is None else spec.origin
    if origin is not None and Path(importlib.util.cache_from_source(origin)).exists():
        return "ok", "packages are compiled to bytecode"
    way_out = "Run: python -m compileall -q on site-packages"
    return "warn", f"packages are not compiled: every start is slower by seconds. {way_out}"


def _machine(_settings: Settings) -> Finding:
    import psutil

    cores = len(os.sched_getaffinity(0))
    return "ok", f"{cores} CPU cores, {psutil.virtual_memory().total / GIB:.1f} GiB memory"


def _torch(settings: Settings) -> Finding:
    from hpo.wiring.machine import devices

    try:
        found = devices(settings)
    except HpoError as error:
        return "fail", str(error)
    if not found:
        return "warn", "no GPU that torch can use: trials train on the CPU"
    return "ok", "GPU: " + ", ".join(found)


def _folder(settings: Settings) -> Finding:
    existing = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        return "fail", f"HPO_HOME {settings.home}: not writable; name another folder in HPO_HOME"
    free = shutil.disk_usage(existing).free / GIB
    return ("ok" if free > 5 else "warn"), f"HPO_HOME {settings.home}: {free:.0f} GiB free"


def _database(settings: Settings) -> Finding:
    from hpo.study.database.storage import open_storage
    from hpo.study.studies import lifecycle

    try:
        with open_storage(settings.storage_url, create=False) as storage:
            return "ok", f"database {storage.place}: {len(lifecycle.names(storage))} studies"
    except UsageError as nothing_there:
        return "ok", str(nothing_there)
    except StorageUnavailable as error:
        return "fail", str(error)


def _mlflow(settings: Settings) -> Finding:
    from hpo.tracking.client import without_password

    path = sqlite_path(settings.tracking_uri)
    if path is not None and not path.exists():
        return "ok", f"MLflow store {path}: made by the first run"
    return "ok", f"MLflow at {without_password(settings.tracking_uri, settings.tracking_uri)}"
