"""The door of this package: a study file and overrides to a validated ``StudySpec``, or every problem in one error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.errors import Problem, SpecError
from hpo.studyfile.checks import rules
from hpo.studyfile.reading.reader import StudyReader
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.text.document import Node, read_document
from hpo.studyfile.text.fields import Field
from hpo.studyfile.text.mapping import STUDY, read_mapping
from hpo.studyfile.text.overrides import apply
from hpo.studyfile.text.places import Folders
from hpo.studyfile.text.report import Finding, ProblemReport


@dataclass(frozen=True)
class Loaded:
    """A study, and where its keys stand."""

    spec: StudySpec
    file: str
    places: Mapping[str, Node]
    """By key path; the names of the space where they are defined, in a part too."""

    def problems(self, findings: Iterable[Finding]) -> list[Problem]:
        """``findings`` (of ``rules.check_facts``) with file and line."""
        return [_placed(finding, self.places, self.file) for finding in findings]


def load_file(path: Path, overrides: Sequence[str] = ()) -> StudySpec:
    """The study of a file. Raises ``SpecError`` with all problems of the file, its parts and the overrides."""
    return load(path, overrides).spec


def load(study: Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Loaded:
    """As ``load_file``, with the places of the keys for checks that need the dataset or the model.

    ``study`` may be what would stand in a file: then its relative paths begin at the working folder.
    """
    report, working = ProblemReport(), Path.cwd()
    path = study if isinstance(study, Path) else Path(STUDY)
    root = read_document(study, report) if isinstance(study, Path) else read_mapping(study, report)
    if root is None:
        report.raise_if_any()
        raise SpecError([Problem(str(path), 0, "", "is empty: docs/study-file.md shows a complete study file")])
    root = apply(root, overrides, report)
    reader = StudyReader(Folders((working / path).resolve().parent, working), path)
    spec = reader.read(Field(root, "", report))
    for finding in rules.check(spec):
        if not any(report.touches(key) for key in (finding.path, *finding.also)):
            report.add(_placed(finding, reader.places, str(path)))
    report.raise_if_any()
    return Loaded(spec, str(path), reader.places)


def _placed(finding: Finding, places: Mapping[str, Node], file: str) -> Problem:
    """The problem, at the innermost of its keys that stands somewhere."""
    path = finding.path
    while path:
        if path in places:
            return Problem(places[path].file, places[path].line, finding.path, finding.message)
        path = re.sub(r"(^|\.)[^.\[]*$|\[\d+\]$", "", path)
    return Problem(file, 0, finding.path, finding.message)
