"""An archive for a bug report: versions, settings, the doctor's answers, a study, the ends of logs; without secrets."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hpo import files, redaction
from hpo.errors import HpoError
from hpo.wiring import machine
from hpo.wiring.checkup import Patient

LOG_LINES = 200
"""Number of lines that are taken from the end of each log."""
MOST_LOGS = 10
"""Number of logs that are taken, the newest ones."""


def write(file: Path, patient: Patient, findings: list[dict[str, str]]) -> list[str]:
    """Write the archive ``file`` (a zip), which appears whole; return the names in it. No image, label or weight is."""
    texts = dict(_texts(patient, findings))
    with files.written_aside(file) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, redaction.redact(text))
    return list(texts)


def _texts(patient: Patient, findings: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    settings = {name: str(value) for name, value in asdict(patient.settings).items()}
    yield "versions.json", _json(machine.versions())
    yield "settings.json", _json(settings)
    yield "doctor.json", _json(findings)
    home = patient.settings.home
    if patient.study is not None:
        yield "study.yaml", _study(patient)
        home = patient.settings.study_folder(patient.study)
    logs = sorted(home.rglob("*.log"), key=_age) + sorted(home.rglob("log.txt"), key=_age)
    for log in sorted(logs, key=_age)[-MOST_LOGS:]:
        yield f"logs/{log.relative_to(home)}", _end(log)


def _study(patient: Patient) -> str:
    from hpo.study.database.storage import open_storage
    from hpo.study.studies import lifecycle
    from hpo.studyfile.serialize import dump_yaml

    try:
        with open_storage(patient.settings.storage_url, create=False) as storage:
            return dump_yaml(lifecycle.load(storage, str(patient.study)).spec)
    except HpoError as error:
        return f"# {error}\n"


def _end(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]) + "\n"
    except OSError as error:
        return f"{error.strerror}\n"


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"
