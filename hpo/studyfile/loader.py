"""The entry to this package: a study file and overrides become a ``StudySpec``, or one error with every problem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo.errors import Problem, SpecError
from hpo.studyfile.checks import rules
from hpo.studyfile.checks.model import ModelFacts
from hpo.studyfile.planning import baseline
from hpo.studyfile.reading.reader import StudyReader
from hpo.studyfile.schema import StudySpec
from hpo.studyfile.text.fields import Field
from hpo.studyfile.text.mapping import STUDY, read_mapping
from hpo.studyfile.text.overrides import apply
from hpo.studyfile.text.places import Folders
from hpo.studyfile.text.report import Finding
from hpo.yamlfile.document import Node, read_document
from hpo.yamlfile.report import ProblemReport


@dataclass(frozen=True)
class Loaded:
    """A study and the places of its keys."""

    spec: StudySpec
    file: str
    places: Mapping[str, Node]
    """Nodes by key path; names of the space point to their definition, also in a part."""
    said: tuple[str, ...] = ()
    """Keys that the file itself writes, and not a default or a part: ``train.epochs``, ``space[yolov8-core]``."""

    def resolved(self, dataset: rules.DatasetFacts) -> Loaded:
        """Return the study with what its data decides: the optimizer, and the range that follows it."""
        spec = baseline.resolved(self.spec, nc=len(dataset.names), train_images=dataset.splits["train"].images)
        return replace(self, spec=spec)

    def problems(self, findings: Iterable[Finding]) -> list[Problem]:
        """Return the problems for ``findings`` (of ``rules.check_facts``), with file and line."""
        return [_placed(finding, self.places, self.file) for finding in findings]

    def check_facts(self, dataset: rules.DatasetFacts, model: ModelFacts | None) -> None:
        """Raise ``SpecError`` with all problems if the study does not fit its dataset or its model."""
        problems = self.problems(rules.check_facts(self.spec, dataset, model))
        if problems:
            raise SpecError(problems)


def load_file(path: Path, overrides: Sequence[str] = ()) -> StudySpec:
    """Return the study of a file. Raises ``SpecError`` with all problems of the file, its parts and the overrides."""
    return load(path, overrides).spec


def load(study: Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Loaded:
    """Return the study and the places of its keys, for checks that need the dataset or the model.

    ``study`` may also be the content of a file; its relative paths then start at the working folder.
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
    return Loaded(spec, str(path), reader.places, reader.said)


def name_in(study: Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> str | None:
    """Return the study's name, whatever else is wrong with it; None where it has none."""
    report = ProblemReport()
    root = read_document(study, report) if isinstance(study, Path) else read_mapping(study, report)
    entries = None if root is None else apply(root, overrides, report).value
    named = entries.get("name") if isinstance(entries, Mapping) else None
    return named.value if isinstance(named, Node) and isinstance(named.value, str) else None


def _placed(finding: Finding, places: Mapping[str, Node], file: str) -> Problem:
    """Make a problem at the innermost of its keys that has a place."""
    path = finding.path
    while path:
        if path in places:
            return Problem(places[path].file, places[path].line, finding.path, finding.message)
        path = re.sub(r"(^|\.)[^.\[]*$|\[\d+\]$", "", path)
    return Problem(file, 0, finding.path, finding.message)
