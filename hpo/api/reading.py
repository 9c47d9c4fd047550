"""Read a stored study: its trials, its best trial, its status, a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hpo import files as whole_files
from hpo.errors import UsageError

if TYPE_CHECKING:
    from hpo.confirmation.record import Stage
    from hpo.orchestration.handover import Handover
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow, TrialRow

ReportFormat = Literal["html", "md"]
FORMATS: dict[str, ReportFormat] = {".html": "html", ".htm": "html", ".md": "md"}
"""What a report's file is, by its ending."""


@dataclass(frozen=True)
class Winner:
    """A study's best trial."""

    row: TrialRow
    stage: Stage | None
    """The study's confirmation, where one has begun."""
    files: Handover | None
    """What was saved of the trial, where it was asked for."""
    weights: Path | None
    """Path of the trial's best.pt; None where it is on another machine or no longer kept."""


def best(storage: Storage, study: StudyRow, folder: Path | None = None, *, data: Path | None = None) -> Winner:
    """Find the best trial of a study, and write its files to ``folder`` where one is named.

    Args:
        storage: The open database.
        study: The study.
        folder: Is made where it is missing.
        data: The study's data.yaml, where it lies elsewhere; the files name it.

    Returns:
        The trial, with its confirmation and its files.

    Raises:
        UsageError: No trial is complete yet, or there is no file ``data``.
        HpoError: Its weights shall be saved and are not on this machine.
    """
    from hpo.confirmation import record
    from hpo.orchestration import handover
    from hpo.study.studies import places, snapshot

    if data is not None and not whole_files.is_file(data):
        raise UsageError(f"--data {data}: no such file; name the data.yaml of study {study.name!r}")
    found = snapshot.status(storage, study).best
    if found is None:
        raise UsageError(f"study {study.name!r} has no complete trial yet; see: hpo status {study.name}")
    row = snapshot.trial(storage, study, found.number)
    stage = record.stage_of(storage, study)
    here = places.moved(storage, study) | ({} if data is None else {"data": data})
    files = None if folder is None else handover.save(study, row, folder, here)
    return Winner(row, stage, files, files.weights if files else handover.weights_of(row))


def write_report(
    storage: Storage, study: StudyRow, output: Path, form: ReportFormat, *, data: Path | None = None
) -> int:
    """Write a report on a study into one file, which appears whole.

    Args:
        storage: The open database.
        study: The study.
        output: The file; its folder is made where it is missing.
        form: ``html`` or ``md``.
        data: The study's data.yaml, where it lies elsewhere.

    Returns:
        The size of the file in bytes.
    """
    from hpo.confirmation import record
    from hpo.confirmation.words import paragraph
    from hpo.report.gather import gather

    stage = record.stage_of(storage, study)
    told = () if stage is None or stage.verdict is None else paragraph(stage.verdict)
    found = gather(storage, study, data=data, verdict=told)
    if form == "html":
        from hpo.report.html import render
    else:
        from hpo.report.markdown import render
    text = render(found)
    output.parent.mkdir(parents=True, exist_ok=True)
    whole_files.write_text(output, text)
    return len(text.encode())
