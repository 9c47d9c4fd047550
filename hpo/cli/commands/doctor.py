"""``hpo doctor``: the state of this machine, and the problems found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from hpo import redaction
from hpo.api.finding import name_of
from hpo.cli.options import complete_study, json_option, print_json, store_options
from hpo.cli.terminal import say, say_labelled
from hpo.errors import UsageError
from hpo.settings import load_settings
from hpo.wiring.checkup import CHECKS, GIB, Finding, Patient

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Check this machine.")
@click.argument("study", required=False, metavar="[STUDY]", shell_complete=complete_study)
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), help="The study's data.yaml, where it moved.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a .zip for a bug report: versions, settings, these findings, STUDY, ends of logs; no secrets.",
)
@store_options
@json_option
def doctor(study: str | None, data: Path | None, bundle: Path | None, *, as_json: bool) -> None:
    """Ask Python, packages, GPU, disk, shared memory, the database, MLflow, and the data of STUDY.

    Nothing is changed. Exit code 1 if something is in the way; its line names the way out.
    """
    patient = Patient(load_settings(), None if study is None else name_of(study), data)
    findings = []
    for check in (_python, _packages, _bytecode, _machine, *CHECKS):
        level, line = check(patient)
        line = redaction.redact(line)
        findings.append({"check": check.__name__.lstrip("_"), "level": level, "finding": line})
        if not as_json:
            say_labelled(f"{level:5}", COLOURS[level], line)
    if as_json:
        print_json(findings)
    if bundle is not None:
        _write_bundle(bundle, patient, findings, quiet=as_json)
    if any(finding["level"] == "fail" for finding in findings):
        raise click.exceptions.Exit(1)


def _write_bundle(file: Path, patient: Patient, findings: list[dict[str, str]], *, quiet: bool) -> None:
    from hpo.wiring.bundle import write

    try:
        names = write(file, patient, findings)
    except OSError as error:
        raise UsageError(f"{file}: can't be written ({error.strerror}); name a file in a folder that can") from error
    if not quiet:
        say(f"wrote {file}: {', '.join(names)}. Passwords are masked; read it before you send it")


def _python(_patient: Patient) -> Finding:
    version = sys.version.split()[0]
    if (3, 11) <= sys.version_info < (3, 12):
        return "ok", f"Python {version}"
    return "warn", f"Python {version}: hpo is tested on 3.11"


def _packages(_patient: Patient) -> Finding:
    from hpo.wiring.machine import versions

    return "ok", ", ".join(f"{name} {version}" for name, version in versions().items() if name != "python")


def _bytecode(_patient: Patient) -> Finding:
    import importlib.util

    spec = importlib.util.find_spec("ultralytics")
    origin = None if spec is None else spec.origin
    if origin is not None and Path(importlib.util.cache_from_source(origin)).exists():
        return "ok", "packages are compiled to bytecode"
    way_out = "Run: python -m compileall -q on site-packages"
    return "warn", f"packages are not compiled: every start is slower by seconds. {way_out}"


def _machine(_patient: Patient) -> Finding:
    import psutil

    cores = len(os.sched_getaffinity(0))
    return "ok", f"{cores} CPU cores, {psutil.virtual_memory().total / GIB:.1f} GiB memory"
